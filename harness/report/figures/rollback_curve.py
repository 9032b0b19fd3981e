"""Recovered score as a function of the fraction of weights rolled back, with the range of random selections."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

import altair as alt

from harness.report.captions import listed, with_interval
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.rollback_rows import NEEDED, REFERENCES, CurvePoint, curve_points
from harness.report.tables.layout import MISSING, TextTable, interval, number
from harness.report.theme import CONTROL, colours, dashes
from harness.results.estimates import Estimate, estimate
from harness.results.metrics import Score

RANDOM = "random"
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
"""The positions of the names of the reference lines. They differ, because both lines may have the same score."""
TARGET, AVERAGE = "target", "average of all domains"


def rollback_curve(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no probe measured a curve."""
    name, title = "rollback-by-fraction", "Rollback curve"
    points = list(curve_points(record))
    if all(point.fraction is None for point in points):
        reason = (
            f"No probe of this run measured a rollback curve. This figure needs rows with "
            f"{', '.join(f'`{key}`' for key in NEEDED)}. To produce them, add a rollback probe under `probes`."
        )
        return Absent(name=name, title=title, reason=reason)
    rows = _rows(points)
    kinds = list(dict.fromkeys(point.kind for point in points if point.fraction is not None))
    draws = sum(point.kind == RANDOM for point in points)
    seeds = sorted({point.seed for point in points})
    of_target = [row for row in rows if row["measure"] == TARGET and row["fraction"] is not None]
    kept = [kind for kind in REFERENCES if any(point.kind == kind for point in points)]
    references = f"; dashed: the {' and the '.join(kept)} checkpoint" if kept else ""
    best = max(of_target, key=lambda row: row["score"])
    over = f"Mean over {len(seeds)} seeds" if len(seeds) > 1 else "One seed"
    spread = ", with 95 % intervals over seeds by Student's t" if len(seeds) > 1 else ""
    return Figure(
        name=name,
        title=title,
        caption=(
            "Score of the target domain and average of all domains after rolling back a fraction of the weights. "
            f"The horizontal axis is logarithmic{references}. {over} ({listed(list(map(str, seeds)))})"
            f"{spread}. "
            + (
                f"Grey: mean and full range of {draws} random selections."
                if draws
                else "No random selections were measured."
            )
        ),
        description=(
            f"Lines of the score by the fraction of weights rolled back, selected by {listed(kinds)}. "
            f"The highest target score: {best['tip']}."
        ),
        chart=lambda layout: _chart(rows, kinds, layout),
        numbers=TextTable(
            title=title,
            subtitle="Mean, with 95 % intervals over seeds in brackets, if there are several seeds",
            columns=("Method, target", "Selected by", "Fraction", "Measure", "Score", "Models"),
            rows=tuple(
                (row["panel"], row["kind"], row["fraction_text"], row["measure"], row["numbers"], str(row["models"]))
                for row in rows
            ),
        ),
    )


def _rows(points: list[CurvePoint]) -> list[Row]:
    seen: dict[tuple[str, str, float | None, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        panel = f"{point.method}: {point.target}"
        seen[panel, point.kind, point.fraction, TARGET][point.seed].append(point.target_score)
        if point.average is not None:
            seen[panel, point.kind, point.fraction, AVERAGE][point.seed].append(point.average)
    rows = []
    for (panel, kind, fraction, measure), by_seed in seen.items():
        values = [value for draws in by_seed.values() for value in draws]
        # The draws of one seed start from the same model, so each seed counts once.
        one: Estimate = estimate([Score(math.fsum(draws) / len(draws), None, 0) for draws in by_seed.values()])
        size = MISSING if fraction is None else f"{fraction:g}"
        subject = f"{panel}, {kind}" if fraction is None else f"{panel}, {kind}, fraction {size}"
        low, high = (min(values), max(values)) if kind == RANDOM else one.ci95 or (one.mean, one.mean)
        rows.append(
            {
                "panel": panel,
                "kind": kind,
                "fraction": fraction,
                "fraction_text": size,
                "measure": measure,
                "score": one.mean,
                "low": low,
                "high": high,
                "models": len(values),
                "numbers": interval(one, 2),
                "tip": f"{subject}, {measure}: {with_interval(one, 2)}"
                + (f", from {number(low, 2)} to {number(high, 2)}" if kind == RANDOM and len(values) > 1 else ""),
            }
        )
    return rows


def _chart(rows: list[Row], kinds: list[str], layout: Layout) -> alt.TopLevelMixin:
    names = [kind for kind in kinds if kind != RANDOM] + [RANDOM] * (RANDOM in kinds)
    palette = dict(zip(names, colours(len(names)), strict=True)) | ({RANDOM: CONTROL} if RANDOM in names else {})
    panels = [
        f"{panel}, {measure}"
        for panel in dict.fromkeys(row["panel"] for row in rows)
        for measure in (TARGET, AVERAGE)
        if any(row["panel"] == panel and row["measure"] == measure for row in rows)
    ]
    across = alt.X(
        "fraction:Q",
        title="fraction of weights rolled back",
        scale=alt.Scale(type="log", nice=False, padding=6),
        axis=alt.Axis(grid=False),
    )
    colour = alt.Color(
        "kind:N",
        title="selected by",
        scale=alt.Scale(domain=names, range=[palette[name] for name in names]),
        legend=alt.Legend(columns=4 if layout == "wide" else 1, symbolType="stroke", symbolOpacity=1, symbolSize=400),
    )
    dash = alt.StrokeDash("kind:N", title="selected by", scale=alt.Scale(domain=names, range=dashes(len(names))))
    score = alt.Y("score:Q", title="score", scale=alt.Scale(zero=False))
    width = 390 if layout == "wide" else 275
    base = alt.Chart().transform_filter("datum.fraction > 0")
    beside = alt.Chart().transform_filter("datum.fraction === null")
    layered = alt.layer(
        beside.mark_rule(strokeDash=[4, 3]).encode(y=score, description="tip:N"),
        *(
            beside.mark_text(align=side, baseline="bottom")
            .transform_filter(alt.FieldEqualPredicate(field="kind", equal=kind))
            .encode(x=alt.value(place), y=score, text="kind:N")
            for kind, side, place in zip(REFERENCES, _SIDES, (4, width - 4), strict=True)
        ),
        base.mark_area(opacity=0.2).encode(x=across, y="low:Q", y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(x=across, y=score, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=across, y=score, color=colour, description="tip:N"),
    ).properties(width=width, height=200)
    drawn = [row | {"panel": f"{row['panel']}, {row['measure']}"} for row in rows]
    facet = alt.Facet("panel:N", sort=panels, title=None)
    chart = layered.facet(facet=facet, columns=2 if layout == "wide" else 1, data=data(drawn))
    faceted: alt.FacetChart = chart.resolve_scale(y="independent")
    return faceted
