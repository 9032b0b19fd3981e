"""Recomputes a leaderboard's intervals, metrics, ranks and rank groups from the scores in its record."""

from __future__ import annotations

from harness.results.columns import ColumnRoles
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
    return leaderboard.model_copy(
        update={"schema_version": SCHEMA_VERSION, "rows": ranked(rows, leaderboard.roles.ranked)}
    )


def _row(leaderboard: Leaderboard, row: Row) -> Row:
    def again(column: str, one: Estimate) -> Estimate:
        return estimate(_measured(one, leaderboard.measurement.get(column)))

    trajectory = tuple(
        step.model_copy(update={"scores": {column: again(column, one) for column, one in step.scores.items()}})
        for step in row.trajectory
    )
    peaks = {one.step: {name: again(name, peak).scores() for name, peak in one.peaks.items()} for one in row.recoveries}
    metrics = {name: estimate(one.scores()) for name, one in row.metrics.items()}
    row = row.model_copy(update={"trajectory": trajectory, "metrics": metrics})
    return with_numbers(row, _roles(leaderboard, row), peaks)


def _roles(leaderboard: Leaderboard, row: Row) -> ColumnRoles:
    """Returns the roles of the columns for a row: in a table of mixed runs, its average has its own run's columns."""
    return leaderboard.roles if row.average.mean is None else leaderboard.roles.within(row.scores)


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
