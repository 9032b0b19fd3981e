"""Score after each stage, in a panel per domain and one for the average, by stage or by optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping

from harness.report.captions import items, listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Absent, Figure
from harness.report.looks import method_looks
from harness.report.plots.model import Axis, Mark, Points, Series, Shape, View, size_of
from harness.report.plots.scales import linear_axis, named_axis
from harness.report.record import RunRecord
from harness.report.stages import stage_names
from harness.report.tables.layout import decimals, header, shortest_first, trajectory_table
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row, TrajectoryStep
from harness.results.metrics import targets_of

AVERAGE = "average"
MOST_MARKS = 3000
"""With more marks, only the panel of the average is drawn."""
_SHARED = "Steps that methods share are drawn once, for the shortest method. "


def trajectories(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no checkpoint was scored."""
    leaderboard = record.leaderboard
    name, title = "trajectories", "Trajectories"
    own = _own_steps(leaderboard)
    by_stage = _panels(leaderboard, own, by_cost=False)
    if not by_stage:
        return Absent(name=name, title=title, reason="No checkpoint has been scored yet.")
    views = [View(name="stages", panels=by_stage)]
    known = [step.cost is not None for row in leaderboard.rows for step in row.trajectory]
    if all(known):
        views.append(View(name="optimizer steps", panels=_panels(leaderboard, own, by_cost=True)))
    reduced = size_of(by_stage) > MOST_MARKS
    if reduced:
        views = [View(name=view.name, panels=view.panels[-1:]) for view in views]
    best = next((row for row in leaderboard.rows if row.rank == 1), None)
    level = [row.method for row in leaderboard.rows if row.rank_group == 1 and row is not best]
    scale = unit(leaderboard, leaderboard.columns)
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Scores in {scale} after each stage; the first is the base model. Triangles mark stages that train the "
            f"domain, diamonds stages that recover it. Each panel has its own vertical scale. {_SHARED}"
            f"{over_scored_seeds(leaderboard)} {items(leaderboard)}"
            + ("" if all(known) else " The optimizer steps of some stages are not known.")
            + (" With so many methods, only the average is drawn; the table has every domain." if reduced else "")
        ),
        description=(
            f"Line chart of the score after each stage, for the domains {listed(leaderboard.columns)} and the methods "
            f"{listed([row.method for row in leaderboard.rows if not row.reference])}."
            + (
                f" The highest final average is {with_interval(best.average, decimals(leaderboard))}, of {best.method}."
                if best
                else ""
            )
            + (f" Not significantly different: {listed(level)}." if best and level else "")
        ),
        views=tuple(views),
        choice="horizontal axis",
        numbers=trajectory_table(leaderboard),
    )


def _own_steps(leaderboard: Leaderboard) -> list[tuple[Row, int, set[int]]]:
    """Returns each method with the step that its line begins with, and its steps that no shorter method has."""
    drawn: set[tuple[str, ...]] = set()
    found = []
    for row in shortest_first([row for row in leaderboard.rows if not row.reference]):
        own = {step.step for step in row.trajectory if step.checkpoints not in drawn}
        drawn.update(step.checkpoints for step in row.trajectory)
        if own:
            found.append((row, max(0, min(own) - 1), own))  # the line begins where it branches off
    order = [row.method for row in leaderboard.rows]
    return sorted(found, key=lambda entry: order.index(entry[0].method))


def _panels(leaderboard: Leaderboard, own: list[tuple[Row, int, set[int]]], *, by_cost: bool) -> tuple[Points, ...]:
    names = stage_names(leaderboard)
    looks = method_looks(leaderboard)
    if by_cost:
        costs = [step.cost.optimizer_steps for row in leaderboard.rows for step in row.trajectory if step.cost]
        across = linear_axis("optimizer steps", costs, include=(0.0,), flush=True)
    else:
        across = named_axis("stage", names, low=-0.5)
    panels = []
    for column in (*leaderboard.columns, AVERAGE):
        average = column == AVERAGE and column not in leaderboard.columns
        series = [
            _series(leaderboard, row, looks, (first, steps), None if average else column, by_cost=by_cost)
            for row, first, steps in own
        ]
        series = [one for one in series if one.marks]
        if not series:
            continue
        panels.append(
            Points(
                title=AVERAGE if average else header(leaderboard, column),
                x=across,
                y=_score_axis(leaderboard, None if average else column, series),
                series=tuple(series),
            )
        )
    return tuple(panels)


def _score_axis(leaderboard: Leaderboard, column: str | None, series: list[Series]) -> Axis:
    percent = unit(leaderboard, leaderboard.averaged if column is None else (column,)) == "percent"
    ends = [value for one in series for mark in one.marks for value in (mark.low, mark.y, mark.high)]
    return linear_axis("score (%)" if percent else "score", ends)


def _series(
    leaderboard: Leaderboard,
    row: Row,
    looks: Mapping[str, int | None],
    place: tuple[int, set[int]],
    column: str | None,
    *,
    by_cost: bool,
) -> Series:
    first, own = place
    marks = []
    for step in row.trajectory[first:]:
        score: Estimate | None = step.average if column is None else step.scores.get(column)
        if score is None or score.mean is None:
            continue
        low, high = score.ci95 or (score.mean, score.mean)
        cost = f", {step.cost.optimizer_steps:,.0f} optimizer steps" if step.cost else ""
        marks.append(
            Mark(
                x=step.cost.optimizer_steps if by_cost and step.cost else float(step.step),
                y=score.mean,
                low=low,
                high=high,
                shape=_shape(step, column),
                drawn=step.step in own,
                tip=f"{row.method}, step {step.step} ({step.label}{cost}), {column or AVERAGE}: "
                f"{with_interval(score, decimals(leaderboard, column))}",
            )
        )
    return Series(name=row.method, method=row.method, look=looks[row.method], marks=tuple(marks), band=True)


def _shape(step: TrajectoryStep, column: str | None) -> Shape:
    if column in targets_of(step.recovered):
        return "diamond"
    return "triangle" if column in step.trained else "circle"
