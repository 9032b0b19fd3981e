"""Matrices of points gained or lost by domain."""

from __future__ import annotations

from harness.report.captions import items, listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Figure
from harness.report.plots.model import Cell, Matrix, MatrixLine, View
from harness.report.tables.layout import MISSING, TextTable, decimals, header, interval, number
from harness.results import metrics
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, TrajectoryStep
from harness.results.metrics import Score


def step_change(
    before: TrajectoryStep, after: TrajectoryStep, column: str, *, higher_is_better: bool
) -> list[Score | None]:
    """Returns the gain of a column in a step for each seed of `after`; empty if one of the checkpoints has no score."""
    first, second = before.scores.get(column), after.scores.get(column)
    if first is None or second is None:
        return []
    earlier, later = first.scores(), second.scores()
    if len(earlier) == 1:  # all seeds share the base model
        earlier = earlier * len(later)
    pairs = zip(earlier, later, strict=True)
    return [
        None if a is None or b is None else metrics.difference(b, a) if higher_is_better else metrics.difference(a, b)
        for a, b in pairs
    ]


def score_matrix(
    leaderboard: Leaderboard,
    cells: dict[tuple[str, str], Estimate],
    *,
    name: str,
    title: str,
    first: str,
    text: str,
    signed: bool = False,
) -> Figure:
    """Returns a figure of points by row and domain. cells: by the names of row and column. first: what the rows are.
    text: the caption's first sentences, with `{unit}`. signed: positive values are gains, and have a sign."""
    lines = list(dict.fromkeys(line for line, _ in cells))
    columns = [column for column in leaderboard.columns if any(c == column for _, c in cells)]
    methods = {row.method for row in leaderboard.rows}
    drawn = [
        MatrixLine(
            label=line,
            cells=tuple(
                _cell(leaderboard, line, column, cells.get((line, column)), signed=signed) for column in columns
            ),
            method=line if line in methods else None,
        )
        for line in lines
    ]
    known = [cell for line in drawn for cell in line.cells if cell is not None]
    largest = max(known, key=lambda cell: abs(cell.value))
    least = 1.0 if unit(leaderboard, columns) == "percent" else 0.01
    far = max(least, abs(largest.value))
    matrix = Matrix(
        title="",
        down=first,
        across="",
        columns=tuple(header(leaderboard, column) for column in columns),
        lines=tuple(drawn),
        low=-far,
        high=far,
        low_is_bad=signed,
    )
    measure = "percentage points" if unit(leaderboard, columns) == "percent" else "the unit of its tasks"
    return Figure(
        name=name,
        title=title,
        caption=f"{text.format(unit=measure)} {over_scored_seeds(leaderboard)} {items(leaderboard)}",
        description=(
            f"A heat map of {len(lines)} rows by the domains {listed(columns)}. The largest value: {largest.tip}."
        ),
        views=(View(name="", panels=(matrix,)),),
        numbers=TextTable(
            title=title,
            subtitle="95 % intervals in brackets",
            columns=(first, *(header(leaderboard, column) for column in columns)),
            rows=tuple(
                (
                    line,
                    *(
                        interval(cells[line, column], decimals(leaderboard, column))
                        if (line, column) in cells
                        else MISSING
                        for column in columns
                    ),
                )
                for line in lines
            ),
        ),
    )


def _cell(leaderboard: Leaderboard, line: str, column: str, one: Estimate | None, *, signed: bool) -> Cell | None:
    if one is None or one.mean is None:
        return None
    digits = decimals(leaderboard, column)
    sign = "+" if signed and one.mean > 0 else ""
    tip = f"{line}, {column}: {with_interval(one, digits)}"
    return Cell(value=one.mean, text=f"{sign}{number(one.mean, digits)}", tip=tip)
