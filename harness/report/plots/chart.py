"""Plots as charts of Altair, for files: SVG and PNG."""

from __future__ import annotations

import json
from typing import Any

import altair as alt

from harness.report.drawing import data
from harness.report.figure import Row
from harness.report.heat_map import heat_map
from harness.report.plots.model import NEAR_AN_END, Axis, Matrix, Points, Rows, Series, View, legend_of
from harness.report.theme import CONTROL, DASHES, INK, MUTED, SERIES

SHAPES = {"circle": "circle", "triangle": "triangle-up", "diamond": "diamond", "square": "square"}
WIDTH = 1000
"""Of a whole chart, about, in pixels."""
LABELS = 190
"""Of the labels of rows, at most, in pixels."""


def chart_of(view: View) -> alt.TopLevelMixin:
    """Returns a view as a chart: its panels in rows of up to three."""
    points = [isinstance(panel, Points) for panel in view.panels]
    beside = min(
        len(view.panels), 3 if all(points) else 1 if any(isinstance(one, Matrix) for one in view.panels) else 2
    )
    width = WIDTH / beside - 60
    charts: list[alt.LayerChart | alt.FacetChart] = []
    for panel in view.panels:
        if isinstance(panel, Points):
            charts.append(_points(panel, legend_of(view.panels), width, 190 if len(view.panels) > 1 else 300))
        elif isinstance(panel, Rows):
            charts.append(_rows(panel, width - LABELS))
        else:
            charts.append(heat_map(panel, WIDTH))
    lines = [alt.hconcat(*charts[place : place + beside]) for place in range(0, len(charts), beside)]
    return charts[0] if len(charts) == 1 else alt.vconcat(*lines)


def _colour(look: int | None) -> str:
    return CONTROL if look is None else SERIES[look % len(SERIES)]


def _dash(look: int | None) -> list[int]:
    return list(DASHES[0 if look is None else (look + look // len(SERIES)) % len(DASHES)])


def _points(panel: Points, series: list[Series], width: float, height: float) -> alt.LayerChart | alt.FacetChart:
    legend = [one for one in series if one.name]
    names = [one.name for one in legend]
    rows: list[Row] = [
        {
            "series": one.name,
            "shape": SHAPES[mark.shape],
            "drawn": mark.drawn and not one.small,
            "line": one.line,
            "area": one.band,
            "whisker": not one.band and mark.low is not None,
            "beam": mark.left is not None,
            "place": panel.x.place(mark.x),
            "top": mark.top,
            **{field: getattr(mark, field) for field in ("x", "y", "low", "high", "left", "right", "tip", "label")},
        }
        for one in panel.series
        if one.name
        for mark in one.marks
    ]
    x, low, left = _across(panel.x, "x"), _down(panel.y, "low"), _across(panel.x, "left")
    y = _down(panel.y, "y")
    colour = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=names, range=[_colour(one.look) for one in legend]),
        legend=alt.Legend(columns=5, symbolType="stroke", symbolOpacity=1, symbolSize=400),
    )
    dash = alt.StrokeDash(
        "series:N", scale=alt.Scale(domain=names, range=[_dash(one.look) for one in legend]), title=None
    )
    shapes = list(SHAPES.values())
    shape = alt.Shape("shape:N", scale=alt.Scale(domain=shapes, range=shapes), legend=None)
    base = alt.Chart(data(rows)).encode(color=colour)
    across = {"x": x, "y": y}
    # Of points without a line, only the whiskers can have the dash of the legend.
    whisker = base.transform_filter("datum.whisker").mark_rule(strokeWidth=1.5).encode(x=x, y=low, y2="high:Q")
    beam = base.transform_filter("datum.beam").mark_rule(strokeWidth=1.5).encode(x=left, x2="right:Q", y=y)
    if not any(one.line for one in panel.series if one.look is not None):
        whisker, beam = whisker.encode(strokeDash=dash), beam.encode(strokeDash=dash)
    layers: list[Any] = [
        base.transform_filter("datum.area").mark_area(opacity=0.15, line=False).encode(x=x, y=low, y2="high:Q"),
        base.transform_filter("datum.line").mark_line(strokeWidth=2).encode(strokeDash=dash, **across),
        whisker,
        beam,
        base.transform_filter("datum.drawn")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(shape=shape, description="tip:N", **across),
    ]
    if any(row["label"] for row in rows):
        align = f"datum.place < {NEAR_AN_END} ? 'left' : datum.place > {100 - NEAR_AN_END} ? 'right' : 'center'"
        text = base.transform_filter("datum.label").mark_text(align=alt.expr(align), baseline="bottom", dy=-5)
        layers.append(text.encode(text="label:N", color=alt.value(INK), x=x, y=_down(panel.y, "top")))
    for rule in panel.rules:
        place = {"x": _across(panel.x, "at")} if rule.along == "x" else {"y": _down(panel.y, "at")}
        layers.insert(0, alt.Chart(data([{"at": rule.at}])).mark_rule(strokeDash=[4, 3], color=MUTED).encode(**place))
    return alt.layer(*layers).properties(width=width, height=height, title=panel.title)


def _scale(axis: Axis) -> alt.Scale:
    constant = axis.constant if axis.scale == "symlog" else alt.Undefined
    return alt.Scale(domain=[axis.low, axis.high], type=axis.scale, constant=constant, nice=False, zero=False)


def _axis(axis: Axis) -> alt.Axis:
    if axis.names:
        part = (axis.high - axis.low) / len(axis.names)
        ticks = [(axis.low + (place + 0.5) * part, name) for place, name in enumerate(axis.names)]
    else:
        ticks = list(axis.ticks)
    values, labels = [value for value, _ in ticks], [label for _, label in ticks]
    # JSON's texts are texts of Vega's expressions too, so no name can be more than a text.
    named = f"{json.dumps(labels)}[indexof({json.dumps(values)}, datum.value)]"
    slanted = axis.names and max(map(len, axis.names)) > 6
    return alt.Axis(
        values=values,
        labelExpr=named,
        labelAngle=-35 if slanted else 0,
        labelLimit=110,
        grid=not axis.names,
        labelOverlap=not axis.names,
    )


def _across(axis: Axis, field: str) -> alt.X:
    return alt.X(f"{field}:Q", title=axis.title or None, scale=_scale(axis), axis=_axis(axis))


def _down(axis: Axis, field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title=axis.title or None, scale=_scale(axis), axis=_axis(axis))


def _rows(panel: Rows, width: float) -> alt.LayerChart | alt.FacetChart:
    labels = [line.label for line in panel.lines]
    rows: list[Row] = [
        {
            "label": line.label,
            "colour": _colour(line.look),
            "text": line.text,
            **{field: getattr(line, field) for field in ("value", "low", "high", "tip")},
        }
        for line in panel.lines
    ]
    label = alt.Y("label:N", sort=labels, title=None, axis=alt.Axis(labelLimit=LABELS))
    base = alt.Chart(data(rows)).encode(y=label, color=alt.Color("colour:N", scale=None))
    value = _across(panel.axis, "value")
    mark = base.mark_bar() if panel.bars else base.mark_point(filled=True, size=80, opacity=1)
    whisker = base.mark_rule(strokeWidth=1.5).encode(x=_across(panel.axis, "low"), x2="high:Q")
    if panel.bars:
        whisker = whisker.encode(color=alt.value(INK))
    layers: list[Any] = [mark.encode(x=value, description="tip:N"), whisker]
    if panel.zero:
        zero = alt.Chart(data([{"at": 0.0}])).mark_rule(strokeDash=[4, 3], color=MUTED)
        layers.insert(0, zero.encode(x=_across(panel.axis, "at")))
    return alt.layer(*layers).properties(width=width, height=24 * len(rows), title=panel.title)
