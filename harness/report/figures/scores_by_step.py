"""Score after each step, in a panel per domain and one for the average, or a panel per method if there are many."""

from __future__ import annotations

import altair as alt

from harness.report.captions import items, listed, over_scored_seeds, unit, with_interval
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.tables.layout import decimals, header, shortest_first, trajectory_table
from harness.report.theme import SERIES, colours, dashes
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, TrajectoryStep
from harness.results.metrics import targets_of

AVERAGE = "average"
TRAINED, RECOVERED, OTHER = "trains the domain", "recovers the domain", "another domain's step"

_SHARED = "Steps that methods share are drawn once, for the shortest method. "


def scores_by_step(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no checkpoint was scored."""
    leaderboard = record.leaderboard
    name, title = "scores-by-step", "Score after each step"
    by_method = len([row for row in leaderboard.rows if not row.reference]) > len(SERIES)
    rows = _rows(leaderboard, shared=by_method)
    if not rows:
        return Absent(name=name, title=title, reason="No checkpoint has been scored yet.")
    panel, series = ("method", "domain") if by_method else ("domain", "method")
    best = next((row for row in leaderboard.rows if row.rank == 1), None)
    level = [row.method for row in leaderboard.rows if row.rank_group == 1 and row is not best]
    scale = unit(leaderboard, leaderboard.columns)
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Scores in {scale} after each step; step 0 is the base model. Each {panel} has a panel with its own "
            f"vertical scale. Triangles mark steps that train the domain, diamonds steps that recover "
            f"it. {_SHARED if not by_method else ''}{over_scored_seeds(leaderboard)} {items(leaderboard)}"
        ),
        description=(
            f"Line chart of the score after each step, for the domains {listed(leaderboard.columns)} and the methods "
            f"{listed([row.method for row in leaderboard.rows if not row.reference])}."
            + (
                f" The highest final average is {with_interval(best.average, decimals(leaderboard))}, of {best.method}."
                if best
                else ""
            )
            + (f" Not significantly different: {listed(level)}." if best and level else "")
        ),
        chart=lambda layout: _chart(rows, panel, series, layout, percent=scale == "percent"),
        numbers=trajectory_table(leaderboard),
    )


def _rows(leaderboard: Leaderboard, *, shared: bool) -> list[Row]:
    """Returns one row per point. shared: draw shared steps for every method, not only for the shortest."""
    rows: list[Row] = []
    drawn: set[tuple[str, ...]] = set()
    for row in shortest_first([row for row in leaderboard.rows if not row.reference]):
        own = [shared or step.checkpoints not in drawn for step in row.trajectory]
        # A line starts at the last shared step, where it branches off.
        first = max(0, own.index(True) - 1) if any(own) else len(own)
        drawn.update(step.checkpoints for step in row.trajectory)
        for step in row.trajectory[first:]:
            for column in (*leaderboard.columns, AVERAGE):
                rows.extend(_row(leaderboard, row.method, step, column, own=own[step.step]))
    return rows


def _row(leaderboard: Leaderboard, method: str, step: TrajectoryStep, column: str, *, own: bool) -> list[Row]:
    average = column == AVERAGE and column not in leaderboard.columns
    score: Estimate | None = step.average if average else step.scores.get(column)
    if score is None or score.mean is None:
        return []
    low, high = score.ci95 or (score.mean, score.mean)
    role = RECOVERED if column in targets_of(step.recovered) else TRAINED if column in step.trained else OTHER
    digits = decimals(leaderboard, None if average else column)
    return [
        {
            "method": method,
            "domain": AVERAGE if average else header(leaderboard, column),
            "step": step.step,
            "score": score.mean,
            "low": low,
            "high": high,
            "role": role,
            "own": own,
            "tip": f"{method}, step {step.step} ({step.label}), {column}: {with_interval(score, digits)}",
        }
    ]


def _chart(rows: list[Row], panel: str, series: str, layout: Layout, *, percent: bool) -> alt.TopLevelMixin:
    panels, names = (list(dict.fromkeys(row[field] for row in rows)) for field in (panel, series))
    steps = max(row["step"] for row in rows)
    colour = alt.Color(
        f"{series}:N",
        title=series,
        scale=alt.Scale(domain=names, range=colours(len(names))),
        legend=alt.Legend(columns=5 if layout == "wide" else 1, symbolType="stroke", symbolOpacity=1, symbolSize=400),
    )
    dash = alt.StrokeDash(f"{series}:N", title=series, scale=alt.Scale(domain=names, range=dashes(len(names))))
    across = alt.X(
        "step:Q",
        title="step (0 = base model)",
        axis=alt.Axis(values=list(range(steps + 1)), format="d"),
        scale=alt.Scale(nice=False),
    )
    shape = alt.Shape(
        "role:N",
        scale=alt.Scale(domain=[TRAINED, RECOVERED, OTHER], range=["triangle-up", "diamond", "circle"]),
        legend=None,
    )
    base = alt.Chart()
    title = "score (%)" if percent else "score"
    score = alt.Y("score:Q", title=title, scale=alt.Scale(zero=False))
    band = base.mark_area(opacity=0.15 if len(names) < 6 else 0.08, line=False).encode(
        x=across, y=alt.Y("low:Q", title=title, scale=alt.Scale(zero=False)), y2="high:Q", color=colour
    )
    line = base.mark_line(strokeWidth=2).encode(x=across, y=score, color=colour, strokeDash=dash)
    points = (
        base.mark_point(filled=True, size=70, opacity=1)
        .encode(x=across, y=score, color=colour, shape=shape, description="tip:N")
        .transform_filter("datum.own")
    )
    across_panels = 3 if layout == "wide" else 1
    layered = alt.layer(band, line, points).properties(width=310 if layout == "wide" else 275, height=170)
    chart = layered.facet(
        facet=alt.Facet(f"{panel}:N", sort=panels, title=None), columns=across_panels, data=data(rows)
    )
    faceted: alt.FacetChart = chart.resolve_scale(y="independent").resolve_axis(x="independent")
    return faceted
