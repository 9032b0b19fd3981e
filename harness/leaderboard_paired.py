"""One method against another on the same seeds: what the intervals of two rows, each over its seeds, do not tell."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UsageError
from harness.leaderboard import Leaderboard, Record, Row
from harness.metrics import Score, difference
from harness.statistics import Estimate, estimate


class PairedDifferences(Record):
    """`method` less `other`, seed by seed. scores: by column. average: of the rows' averages."""

    method: str
    other: str
    seeds: tuple[int, ...]
    scores: dict[str, Estimate]
    average: Estimate


def paired_differences(leaderboard: Leaderboard, method: str, other: str) -> PairedDifferences:
    """Returns the differences over the seeds that both rows have, in the order of the first; all seeds share the base.

    The two sampling errors count as independent, though the items are the same, so intervals are on the wide side.
    Raises UsageError for a method that is not there, and where the rows share no seed.
    """
    one, two = leaderboard.row(method), leaderboard.row(other)
    seeds = tuple(seed for seed in (two if one.reference else one).seeds if two.reference or seed in two.seeds)
    if not seeds:
        raise UsageError(
            f"{method} and {other} have no seed in common",
            hint=f"{_seeds(one)}, {_seeds(two)}: differences are taken seed by seed",
        )
    return PairedDifferences(
        method=method,
        other=other,
        seeds=seeds,
        scores={
            column: _paired(one, one.scores[column], two, two.scores[column], seeds)
            for column in leaderboard.columns
            if column in one.scores and column in two.scores
        },
        average=_paired(one, one.average, two, two.average, seeds),
    )


def _paired(one: Row, left: Estimate, two: Row, right: Estimate, seeds: tuple[int, ...]) -> Estimate:
    mine, others = _by_seed(one, left, seeds), _by_seed(two, right, seeds)
    pairs = [(mine.get(seed), others.get(seed)) for seed in seeds]
    return estimate([None if a is None or b is None else difference(a, b) for a, b in pairs])


def _by_seed(row: Row, score: Estimate, seeds: Sequence[int]) -> dict[int, Score | None]:
    found = score.scores()
    if row.reference:
        return dict.fromkeys(seeds, found[0] if found else None)
    return dict(zip(row.seeds, found, strict=True))


def _seeds(row: Row) -> str:
    return f"{row.method} has {', '.join(map(str, row.seeds)) or 'none'}"
