"""Ranks by the average, and groups of methods that do not differ significantly.

Two methods differ significantly if the paired t test of their averages, over the seeds that both have, rejects equality
after Holm's correction over all pairs of ranked methods, at a family-wise error rate of 5 %. The correction covers all
pairs and not only those with the best method, because the best is selected by the same numbers: corrected over those
alone, a difference between eight equal methods on ten seeds would be reported in 12 % of runs.

Group 1 is the best method and every method that does not differ significantly from it. Group 2 is formed in the same
way from the remaining methods, and so on. A method with a larger spread may be in a better group than a method that is
ranked above it. With fewer than two common seeds, no difference is significant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from harness.results.compare import by_seed
from harness.results.intervals import holm, paired_p_value
from harness.results.leaderboard import Row

FAMILY_WISE_ERROR = 0.05


def is_complete(row: Row, columns: Sequence[str]) -> bool:
    """Returns whether every seed of the row has a score in every column."""
    return all(
        column in row.scores and row.scores[column].per_seed and None not in row.scores[column].per_seed
        for column in columns
    )


def ranked(rows: Sequence[Row], columns: Sequence[str]) -> tuple[Row, ...]:
    """Returns the rows with ranks and groups: best average first, then rows without a rank, the reference last.

    Equal averages share a rank, and the next rank is skipped (1, 1, 3).
    """
    able = [row for row in rows if not row.reference and row.average.mean is not None and is_complete(row, columns)]
    means = {id(row): round(row.average.mean or 0.0, 9) for row in able}
    best_first = sorted(able, key=lambda row: -means[id(row)])
    groups = _groups(best_first)
    placed = [
        row.model_copy(
            update={
                "rank": 1 + sum(other > means[id(row)] for other in means.values()),
                "rank_group": groups[row.method],
            }
        )
        for row in best_first
    ]
    rest = [row.model_copy(update={"rank": None, "rank_group": None}) for row in rows if id(row) not in means]
    return (*placed, *sorted(rest, key=lambda row: row.reference))


def _groups(best_first: Sequence[Row]) -> Mapping[str, int]:
    pairs = list(combinations(range(len(best_first)), 2))
    corrected = holm([_p_value(best_first[one], best_first[other]) for one, other in pairs])
    apart = {
        pair for pair, value in zip(pairs, corrected, strict=True) if value is not None and value <= FAMILY_WISE_ERROR
    }
    groups: dict[str, int] = {}
    left, group = list(range(len(best_first))), 0
    while left:
        group += 1
        members = [place for place in left if (left[0], place) not in apart]
        groups.update((best_first[place].method, group) for place in members)
        left = [place for place in left if place not in members]
    return groups


def _p_value(best: Row, other: Row) -> float | None:
    mine, others = (by_seed(row, row.average, row.seeds) for row in (best, other))
    pairs = [(mine[seed], others.get(seed)) for seed in best.seeds]
    return paired_p_value([a.value - b.value for a, b in pairs if a is not None and b is not None])
