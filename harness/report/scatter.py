"""Scatter plots of measured against predicted damage, one panel per predictor, with rank correlations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.prediction.agreement import agreements
from harness.report.captions import listed
from harness.report.figure import Figure
from harness.report.plots.model import SHAPES, Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis
from harness.report.tables.layout import TextTable, number
from harness.report.theme import SERIES

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
    kinds: dict[str, dict[tuple[int, str, str, str], tuple[float, float]]] = defaultdict(dict)
    for point in points:
        kinds[point.kind][point.seed, point.step, point.domain, point.place] = (point.predicted, point.measured)
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
        views=(View(name="", panels=scatter(points)),),
        numbers=TextTable(
            title=title, subtitle="Measured: points lost in the step", columns=columns, rows=tuple(map(_cells, points))
        ),
    )


def _cells(point: Point) -> tuple[str, ...]:
    seed, measured = str(point.seed), number(point.measured, 2)
    return point.kind, point.place, seed, point.domain, short(point.predicted), measured


def scatter(points: Sequence[Point]) -> tuple[Points, ...]:
    """Returns one panel per kind, with the prediction on the x axis and the points lost on the y axis. Domains past the
    seventh repeat the colours with other shapes."""
    domains = {domain: place for place, domain in enumerate(dict.fromkeys(point.domain for point in points))}
    lost = linear_axis("points lost", [point.measured for point in points], include=(0.0,))
    panels = []
    for kind in dict.fromkeys(point.kind for point in points):
        own = [point for point in points if point.kind == kind]
        series = []
        for domain, place in domains.items():
            shape = SHAPES[(place + 2 * (place // len(SERIES))) % len(SHAPES)]
            marks = tuple(
                Mark(x=point.predicted, y=point.measured, tip=_tip(point), shape=shape)
                for point in own
                if point.domain == domain
            )
            if marks:
                series.append(Series(name=domain, look=place, marks=marks, line=False))
        across = linear_axis("predicted", [point.predicted for point in own])
        panels.append(Points(title=kind, x=across, y=lost, series=tuple(series), rules=(Rule(at=0.0, along="y"),)))
    return tuple(panels)


def _tip(point: Point) -> str:
    return (
        f"{point.kind}; {point.place}, seed {point.seed}, {point.domain}: predicted {short(point.predicted)}, "
        f"lost {number(point.measured, 2)} points"
    )
