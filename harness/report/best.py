"""The best value of each column of a leaderboard, and the values that do not differ significantly from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.report.tables.layout import LEADERBOARD_LEADING
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row
from harness.results.ranks import ranked

Standing = Literal["", "best", "level"]
MOST_TESTED = 60
"""With more methods, only the best value of a column is marked: every pair would be tested."""


def column_standings(leaderboard: Leaderboard) -> list[list[Standing]]:
    """Returns the standing of each cell of the leaderboard's table, by row and column.

    The best mean of a score, the average, forgetting, backward transfer or a metric is `best`. `level`: in the rank
    group of the best one, by the rule of the average, applied to that column. The base model is not marked.
    """
    columns = [_standings(leaderboard.rows, values, higher=higher) for values, higher in _columns(leaderboard)]
    lead: list[Standing] = [""] * LEADERBOARD_LEADING
    return [[*lead, *(column[place] for column in columns), ""] for place in range(len(leaderboard.rows))]


def _columns(leaderboard: Leaderboard) -> list[tuple[list[Estimate | None], bool]]:
    """Returns the numbers of each column, and whether higher is better in it, in the order of the table."""
    rows = leaderboard.rows
    return [
        *(([row.scores.get(name) for row in rows], leaderboard.higher_is_better(name)) for name in leaderboard.columns),
        ([row.average for row in rows], True),
        ([row.forgetting for row in rows], False),
        ([row.backward_transfer for row in rows], True),
        *(([row.metrics.get(name) for row in rows], one.higher_is_better) for name, one in leaderboard.metrics.items()),
    ]


def _standings(rows: Sequence[Row], values: Sequence[Estimate | None], *, higher: bool) -> list[Standing]:
    turned = {
        row.method: _turned(value, higher=higher) for row, value in zip(rows, values, strict=True) if not row.reference
    }
    known = {method: one.mean for method, one in turned.items() if one is not None and one.mean is not None}
    if len(known) < 2:
        return [""] * len(rows)
    top = round(max(known.values()), 9)
    best = {method for method, mean in known.items() if round(mean, 9) == top}
    level: set[str] = set()
    if len(known) <= MOST_TESTED and max(len(row.seeds) for row in rows) > 1:
        tested = [row.model_copy(update={"average": turned[row.method]}) for row in rows if row.method in known]
        level = {row.method for row in ranked(tested, ()) if row.rank_group == 1}
    return ["best" if row.method in best else "level" if row.method in level else "" for row in rows]


def _turned(one: Estimate | None, *, higher: bool) -> Estimate | None:
    """Returns the estimate so that higher is better."""
    if one is None or one.mean is None or higher:
        return one
    per_seed = tuple(None if value is None else -value for value in one.per_seed)
    return one.model_copy(update={"mean": -one.mean, "per_seed": per_seed, "ci95": None, "interval": None})
