"""Scatters of what a domain lost against what was predicted, a panel a predictor, and how well each ordered it."""

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
INTERVALS = "In brackets: 95 % intervals by bootstrap of seeds and of pairs of step and domain."


@dataclass(frozen=True, kw_only=True)
class Point:
    """A prediction of one kind, and the points that the domain lost by the step of that seed.

    step: names it the same in every seed. place: what a tooltip calls it.
    """

    kind: str
    seed: int
    step: str
    place: str
    domain: str
    predicted: float
    measured: float


def correlations(points: Sequence[Point]) -> list[str]:
    """Returns Spearman's rank correlation of each kind with its interval and n, as `harness predict --check` has it."""
    kinds: dict[str, dict[tuple[int, str, str], tuple[float, float]]] = defaultdict(dict)
    for point in points:
        kinds[point.kind][point.seed, point.step, point.domain] = (point.predicted, point.measured)
    told = []
    for kind, kept in kinds.items():
        [one] = agreements(
            {key: measured for key, (_, measured) in kept.items()},
            {kind: {key: predicted for key, (predicted, _) in kept.items()}},
        )
        if one.spearman is None:
            text = "none, too few different points"
        else:
            text = number(one.spearman, 2)
            if one.ci95 is not None:
                text += f" [{number(one.ci95[0], 2)}, {number(one.ci95[1], 2)}]"
        told.append(f"{kind}: {text}, n = {len(kept)}")
    return told


def short(value: float) -> str:
    """Returns a prediction as text, four digits of it."""
    return f"{value:.4g}".replace("-", "−")


def scatter_figure(points: Sequence[Point], *, name: str, title: str, about: str, columns: tuple[str, ...]) -> Figure:
    """Returns the figure of at least one point. about: the caption's first sentence. columns: what the table calls the
    kind, the place, the seed, the domain, what was predicted and what was measured."""
    ranks = "; ".join(correlations(points))
    seeds = sorted({point.seed for point in points})
    return Figure(
        name=name,
        title=title,
        caption=(
            f"{about} {'Seeds' if len(seeds) > 1 else 'Seed'} {listed(list(map(str, seeds)))}, "
            f"each a point of its own; sampling errors are not drawn. Spearman's rank correlation: {ranks}. {INTERVALS}"
        ),
        description=f"Scatter of the damage against its prediction. Rank correlation of {ranks}.",
        chart=lambda layout: scatter(points, layout),
        numbers=TextTable(
            title=title, subtitle="Measured: points lost by the step", columns=columns, rows=tuple(map(_cells, points))
        ),
    )


def _cells(point: Point) -> tuple[str, ...]:
    seed, measured = str(point.seed), number(point.measured, 2)
    return point.kind, point.place, seed, point.domain, short(point.predicted), measured


def scatter(points: Sequence[Point], layout: Layout) -> alt.TopLevelMixin:
    """Returns a panel a kind; across what it predicted, up the points that were lost."""
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
    made: alt.FacetChart = chart.resolve_scale(x="independent")
    return made


def _shapes(count: int) -> list[str]:
    """Returns a shape for each of `count` domains; a colour that comes again comes with another shape."""
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
