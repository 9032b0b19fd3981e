"""Paired comparison of two methods on the same seeds, which is more precise than comparing their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UsageError
from harness.results.estimates import Estimate, estimate
from harness.results.intervals import holm, paired_p_value
from harness.results.leaderboard import Leaderboard, Record, Row
from harness.results.metrics import Score, difference


class PairedDifferences(Record):
    """The differences `method` − `other` per seed.

    scores: the difference in each column. average, forgetting: the differences of the rows' averages and of their mean
    forgetting, where less is better. p_values, average_p_value, forgetting_p_value: two-sided paired t test, None with
    fewer than two seeds. holm_p_values, average_holm_p_value, forgetting_holm_p_value: the p-values with Holm's
    correction over all methods that `method` is compared with, for each of these numbers on its own.
    """

    method: str
    other: str
    seeds: tuple[int, ...]
    scores: dict[str, Estimate]
    average: Estimate
    forgetting: Estimate
    p_values: dict[str, float | None]
    average_p_value: float | None
    forgetting_p_value: float | None
    holm_p_values: dict[str, float | None]
    average_holm_p_value: float | None
    forgetting_holm_p_value: float | None


def compared(leaderboard: Leaderboard, method: str, others: Sequence[str]) -> list[PairedDifferences]:
    """Returns the differences between `method` and each of `others`, with p-values corrected over all of them."""
    return with_holm([paired_differences(leaderboard, method, other) for other in others], leaderboard.columns)


def with_holm(found: Sequence[PairedDifferences], columns: Sequence[str]) -> list[PairedDifferences]:
    """Returns the differences with p-values that are corrected over all of them, for each column, the average and
    forgetting."""
    averages = holm([one.average_p_value for one in found])
    forgetting = holm([one.forgetting_p_value for one in found])
    corrected = {column: holm([one.p_values.get(column) for one in found]) for column in columns}
    return [
        one.model_copy(
            update={
                "holm_p_values": {column: corrected[column][place] for column in one.p_values},
                "average_holm_p_value": averages[place],
                "forgetting_holm_p_value": forgetting[place],
            }
        )
        for place, one in enumerate(found)
    ]


def comparable_methods(leaderboard: Leaderboard, method: str) -> list[str]:
    """Returns the other methods that have a seed in common with `method`, without the base model.

    Raises UsageError if there are none or `method` does not exist.
    """
    mine = leaderboard.row(method)
    others = [row for row in leaderboard.rows if row.method != method and not row.reference]
    shared = [row.method for row in others if mine.reference or set(mine.seeds) & set(row.seeds)]
    if not shared:
        raise UsageError(f"no other method has a seed in common with {method}")
    return shared


def paired_differences(leaderboard: Leaderboard, method: str, other: str) -> PairedDifferences:
    """Returns the differences over the seeds that both rows have, in the first row's order.

    The base model counts as a row with every seed. With several seeds, intervals are Student's t over the differences.
    With one seed, the two intervals over test items are combined as if they were independent. Both rows use the same
    items, so this interval is conservative. Raises UsageError if a method does not exist or the rows share no seed.
    """
    return row_differences(leaderboard.row(method), leaderboard.row(other), leaderboard.columns)


def row_differences(one: Row, two: Row, columns: Sequence[str]) -> PairedDifferences:
    """Returns the differences between two rows, which may be of different leaderboards, as `paired_differences` does.

    Raises UsageError if the rows share no seed.
    """
    seeds = tuple(seed for seed in (two if one.reference else one).seeds if two.reference or seed in two.seeds)
    if not seeds:
        raise UsageError(
            f"{one.method} and {two.method} have no seed in common",
            hint=f"{_seeds(one)}, {_seeds(two)}; differences are computed per seed",
        )
    scores = {
        column: _paired(one, one.scores[column], two, two.scores[column], seeds)
        for column in columns
        if column in one.scores and column in two.scores
    }
    average = _paired(one, one.average, two, two.average, seeds)
    forgetting = _paired(one, one.forgetting, two, two.forgetting, seeds)
    p_values = {column: _p_value(score) for column, score in scores.items()}
    return PairedDifferences(
        method=one.method,
        other=two.method,
        seeds=seeds,
        scores=scores,
        average=average,
        forgetting=forgetting,
        p_values=p_values,
        average_p_value=_p_value(average),
        forgetting_p_value=_p_value(forgetting),
        holm_p_values=p_values,
        average_holm_p_value=_p_value(average),
        forgetting_holm_p_value=_p_value(forgetting),
    )


def _p_value(one: Estimate) -> float | None:
    return paired_p_value([value for value in one.per_seed if value is not None])


def _paired(one: Row, left: Estimate, two: Row, right: Estimate, seeds: tuple[int, ...]) -> Estimate:
    mine, others = by_seed(one, left, seeds), by_seed(two, right, seeds)
    pairs = [(mine.get(seed), others.get(seed)) for seed in seeds]
    return estimate([None if a is None or b is None else difference(a, b) for a, b in pairs])


def by_seed(row: Row, score: Estimate, seeds: Sequence[int]) -> dict[int, Score | None]:
    """Returns the score by seed. The reference row has a single checkpoint, which is used for each of `seeds`."""
    found = score.scores()
    if row.reference:
        return dict.fromkeys(seeds, found[0] if found else None)
    return dict(zip(row.seeds, found, strict=True))


def _seeds(row: Row) -> str:
    return f"{row.method} has {', '.join(map(str, row.seeds)) or 'none'}"
