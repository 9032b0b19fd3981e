"""Forgetting by method and domain, and the change of every domain in each step."""

from __future__ import annotations

import altair as alt

from harness.report.captions import items, listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.heat_map import heat_map, symmetric
from harness.report.record import RunRecord
from harness.report.tables.layout import MISSING, TextTable, decimals, header, interval, number, shortest_first
from harness.results import metrics
from harness.results.estimates import Estimate, estimate
from harness.results.leaderboard import Leaderboard, TrajectoryStep


def forgetting(record: RunRecord) -> Figure | Absent:
    """Returns forgetting by method and domain; absent if no step follows the training of a domain."""
    leaderboard = record.leaderboard
    name, title = "forgetting", "Forgetting"
    cells = {
        (row.method, column): one
        for row in leaderboard.rows
        for column, one in row.forgetting_by_domain.items()
        if one.mean is not None
    }
    if not cells:
        reason = "No method has a score of a domain after a step that follows its training."
        return Absent(name=name, title=title, reason=reason)
    return _figure(
        leaderboard,
        cells,
        name=name,
        title=title,
        first="Method",
        colours="forgetting (points)",
        text=(
            "Best score of a domain at any earlier step minus its final score, in {unit}. Positive values (orange): "
            "the domain got worse. Negative values (blue): the final score is the best one. Only domains whose "
            " training was followed by another step have a cell."
        ),
    )


def change_by_step(record: RunRecord) -> Figure | Absent:
    """Returns the change of every domain in every step; absent if no step has scores before and after it."""
    leaderboard = record.leaderboard
    name, title = "change-by-step", "Change by step"
    cells: dict[tuple[str, str], Estimate] = {}
    shown: set[tuple[str, ...]] = set()
    for row in shortest_first(leaderboard.rows):
        for before, after in zip(row.trajectory, row.trajectory[1:], strict=False):
            if after.checkpoints in shown:
                continue
            shown.add(after.checkpoints)
            for column in leaderboard.columns:
                change = _change(before, after, column, higher_is_better=leaderboard.higher_is_better(column))
                if change.mean is not None:
                    cells[f"{row.method} {after.step}: {after.label.removeprefix('train ')}", column] = change
    if not cells:
        reason = "No step has scores before and after it yet."
        return Absent(name=name, title=title, reason=reason)
    return _figure(
        leaderboard,
        cells,
        name=name,
        title=title,
        first="Method, step",
        colours="change (points)",
        text=(
            "Score after a step minus the score before it, in {unit}, with the sign flipped if lower is better. "
            "Positive values (blue) are gains, negative values (orange) are losses: interference, unless the step "
            "trained the domain. Steps that methods share are shown once."
        ),
        signed=True,
    )


def _change(before: TrajectoryStep, after: TrajectoryStep, column: str, *, higher_is_better: bool) -> Estimate:
    first, second = before.scores.get(column), after.scores.get(column)
    if first is None or second is None:
        return Estimate()
    earlier, later = first.scores(), second.scores()
    if len(earlier) == 1:  # all seeds share the base model
        earlier = earlier * len(later)
    pairs = zip(earlier, later, strict=True)
    return estimate(
        [
            None
            if a is None or b is None
            else metrics.difference(b, a)
            if higher_is_better
            else metrics.difference(a, b)
            for a, b in pairs
        ]
    )


def _figure(
    leaderboard: Leaderboard,
    cells: dict[tuple[str, str], Estimate],
    *,
    name: str,
    title: str,
    first: str,
    colours: str,
    text: str,
    signed: bool = False,
) -> Figure:
    lines = list(dict.fromkeys(line for line, _ in cells))
    columns = [column for column in leaderboard.columns if any(c == column for _, c in cells)]
    rows: list[Row] = []
    for line in lines:
        for column in columns:
            one = cells.get((line, column))
            if one is None or one.mean is None:
                continue
            digits = decimals(leaderboard, column)
            rows.append(
                {
                    "row": line,
                    "column": header(leaderboard, column),
                    "value": one.mean,
                    "text": ("+" if signed and one.mean > 0 else "") + number(one.mean, digits),
                    "tip": f"{line}, {column}: {with_interval(one, digits)}",
                }
            )
    largest = max(rows, key=lambda row: abs(row["value"]))
    domain = symmetric([row["value"] for row in rows], least=1.0 if unit(leaderboard, columns) == "percent" else 0.01)

    def chart(layout: Layout) -> alt.TopLevelMixin:
        return heat_map(rows, layout, across="domain", down="", title=colours, domain=domain, low_is_bad=signed)

    measure = "percentage points" if unit(leaderboard, columns) == "percent" else "the unit of its tasks"
    return Figure(
        name=name,
        title=title,
        caption=f"{text.format(unit=measure)} {over_scored_seeds(leaderboard)} {items(leaderboard)}",
        description=(
            f"A heat map of {len(lines)} rows by the domains {listed(columns)}. The largest value: {largest['tip']}."
        ),
        chart=chart,
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
