"""Recomputes a leaderboard's intervals, metrics, ranks and rank groups from the scores in its record."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.estimates import Estimate, estimate
from harness.results.item_scores import item_score
from harness.results.leaderboard import SCHEMA_VERSION, Leaderboard, Measurement, Row
from harness.results.metrics import Score
from harness.results.numbers import with_numbers
from harness.results.ranks import ranked


def rebuilt(leaderboard: Leaderboard) -> Leaderboard:
    """Returns the leaderboard in the current schema, with every derived number recomputed from the scores.

    The scores per seed, their standard errors and item counts are unchanged. A row without a trajectory keeps its
    metrics. Records of schema 1 have no item interval for a column of several tasks, so with one seed its recorded
    interval is kept.
    """
    rows = [_row(leaderboard, row) for row in leaderboard.rows]
    return leaderboard.model_copy(update={"schema_version": SCHEMA_VERSION, "rows": ranked(rows, leaderboard.columns)})


def _row(leaderboard: Leaderboard, row: Row) -> Row:
    def again(column: str, one: Estimate) -> Estimate:
        return estimate(_measured(one, leaderboard.measurement.get(column)))

    trajectory = tuple(
        step.model_copy(update={"scores": {column: again(column, one) for column, one in step.scores.items()}})
        for step in row.trajectory
    )
    peaks = {one.step: again(one.target, one.peak).scores() for one in row.recoveries}
    metrics = {name: estimate(one.scores()) for name, one in row.metrics.items()}
    row = row.model_copy(update={"trajectory": trajectory, "metrics": metrics})
    return with_numbers(row, leaderboard.columns, _averaged(leaderboard, row), peaks)


def _averaged(leaderboard: Leaderboard, row: Row) -> Sequence[str]:
    """Returns the columns in the row's average: in a table of mixed runs, the columns of the row's own run."""
    if row.average.mean is None:
        return leaderboard.averaged
    return tuple(column for column in leaderboard.averaged if column in row.scores)


def _measured(one: Estimate, measurement: Measurement | None) -> list[Score | None]:
    """Returns each seed's score, with its interval over items if the column has a single task."""
    scores = one.scores()
    if measurement is None or len(measurement.tasks) > 1:
        return scores
    scale = 100.0 if measurement.percent else 1.0
    return [
        None
        if score is None
        else item_score(
            score.value / scale,
            None if score.stderr is None else score.stderr / scale,
            score.n,
            percent=measurement.percent,
        )
        for score in scores
    ]
