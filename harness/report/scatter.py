"""Scatter plots of measured against predicted damage, one panel per predictor, with rank correlations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from harness.prediction.agreement import agreements
from harness.report.captions import listed
from harness.report.drawing import data
from harness.report.figure import Figure, Layout, Row
from harness.report.tables.layout import TextTable, number
from harness.report.theme import SERIES, colours

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left")
INTERVALS = "In brackets: 95 % bootstrap intervals over seeds and over pairs of step and domain."


@dataclass(frozen=True, kw_only=True)
class Point:
    """A prediction of one kind, and the points that the domain lost in the step of that seed.

    step: identifies the step in all seeds. place: its name in a tooltip.
    """

    kind: str
    seed: int
    step: str
    place: str
    domain: str
    predicted: float
    measured: float


def correlations(points: Sequence[Point]) -> list[str]:
    """Returns Spearman's rank correlation of each kind with its interval and n, as in `harness predict --check`."""
    kinds: dict[str, dict[tuple[int, str, str], tuple[float, float]]] = defaultdict(dict)
    for point in points:
        kinds[point.kind][point.seed, point.step, point.domain] = (point.predicted, point.measured)
    texts = []
    for kind, kept in kinds.items():
        [one] = agreements(
            {key: measured for key, (_, measured) in kept.items()},
            {kind: {key: predicted for key, (predicted, _) in kept.items()}},
        )
        if one.spearman is None:
            text = "none (too few different points)"
        else:
            text = number(one.spearman, 2)
            if one.ci95 is not None:
                text += f" [{number(one.ci95[0], 2)}, {number(one.ci95[1], 2)}]"
        texts.append(f"{kind}: {text}, n = {len(kept)}")
    return texts


def short(value: float) -> str:
    """Returns a prediction as text with four significant digits."""
    return f"{value:.4g}".replace("-", "−")


def scatter_figure(points: Sequence[Point], *, name: str, title: str, about: str, columns: tuple[str, ...]) -> Figure:
    """Returns the figure for at least one point. about: the caption's first sentence. columns: the headers of the table
    for kind, place, seed, domain, prediction and measurement."""
    ranks = "; ".join(correlations(points))
    seeds = sorted({point.seed for point in points})
    return Figure(
        name=name,
        title=title,
        caption=(
            f"{about} {'Seeds' if len(seeds) > 1 else 'Seed'} {listed(list(map(str, seeds)))}, "
            f"one point each; sampling errors are not drawn. Spearman's rank correlation: {ranks}. {INTERVALS}"
        ),
        description=f"Scatter plot of measured against predicted damage. Rank correlation of {ranks}.",
        chart=lambda layout: scatter(points, layout),
        numbers=TextTable(
            title=title, subtitle="Measured: points lost in the step", columns=columns, rows=tuple(map(_cells, points))
        ),
    )


def _cells(point: Point) -> tuple[str, ...]:
    seed, measured = str(point.seed), number(point.measured, 2)
    return point.kind, point.place, seed, point.domain, short(point.predicted), measured


def scatter(points: Sequence[Point], layout: Layout) -> alt.TopLevelMixin:
    """Returns one panel per kind, with the prediction on the x axis and the points lost on the y axis."""
    rows = [_row(point) for point in points]
    kinds, domains = (list(dict.fromkeys(row[field] for row in rows)) for field in ("kind", "domain"))
    base = alt.Chart()
    zero = base.transform_aggregate(points="count()").mark_rule(strokeDash=[4, 3]).encode(y=alt.Y(datum=0))
    marks = base.mark_point(filled=True, size=80, opacity=0.9).encode(
        x=alt.X("predicted:Q", title="predicted", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        y=alt.Y("measured:Q", title="points lost"),
        color=alt.Color("domain:N", scale=alt.Scale(domain=domains, range=colours(len(domains)))),
        shape=alt.Shape(
            "domain:N",
            scale=alt.Scale(domain=domains, range=_shapes(len(domains))),
            legend=alt.Legend(
                columns=4 if layout == "wide" else 2 if max(map(len, domains)) < 16 else 1, title="domain"
            ),
        ),
        description="tip:N",
    )
    layered = alt.layer(zero, marks).properties(width=390 if layout == "wide" else 275, height=220)
    chart = layered.facet(
        facet=alt.Facet("kind:N", sort=kinds, title=None), columns=2 if layout == "wide" else 1, data=data(rows)
    )
    faceted: alt.FacetChart = chart.resolve_scale(x="independent")
    return faceted


def _shapes(count: int) -> list[str]:
    """Returns a shape for each of `count` domains. A repeated colour has a different shape."""
    return [SHAPES[(index + index // len(SERIES)) % len(SHAPES)] for index in range(count)]


def _row(point: Point) -> Row:
    return {
        "kind": point.kind,
        "domain": point.domain,
        "predicted": point.predicted,
        "measured": point.measured,
        "tip": (
            f"{point.kind}; {point.place}, seed {point.seed}, {point.domain}: predicted {short(point.predicted)}, "
            f"lost {number(point.measured, 2)} points"
        ),
    }
