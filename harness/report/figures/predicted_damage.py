"""Predicted damage against the damage that was measured."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from harness.report.captions import listed
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.theme import colours
from harness.tables.layout import TextTable, number

PREFIX, SUFFIX = "predicted_", "_damage"
"""Columns of a probe's rows that begin with the one or end with the other hold predictions of what a step costs."""
DOMAIN = ("harmed_domain", "domain")
"""What names the domain that they are for; `step` is that of the lineage."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A prediction of one kind for a step of one seed, and the points that the domain lost by that step."""

    kind: str
    method: str
    seed: int
    step: int
    domain: str
    predicted: float
    measured: float


def predictions(record: RunRecord) -> Iterator[Prediction]:
    """Yields each prediction that the scores of its domain before and after its step stand beside, once a step."""
    scores = _scores(record)
    shown: set[tuple[str, str, str, tuple[str, ...]]] = set()
    for probe in record.probes:
        for row in probe.rows:
            step, domain = row.get("step"), next((row[key] for key in DOMAIN if key in row), None)
            if not isinstance(step, int) or not isinstance(domain, str):
                continue
            place = (probe.method, probe.seed, step, domain)
            if place not in scores:
                continue
            checkpoint, measured = scores[place]
            for name, value in row.items():
                if (not name.startswith(PREFIX) and not name.endswith(SUFFIX)) or not _finite(value):
                    continue
                kind = f"{probe.probe}: {name.removeprefix(PREFIX).replace('_', ' ')}"
                here = (kind, domain, checkpoint, tuple(sorted(_labels(row))))
                if here not in shown:
                    shown.add(here)
                    yield Prediction(
                        kind=kind,
                        method=probe.method,
                        seed=probe.seed,
                        step=step,
                        domain=domain,
                        predicted=float(value),
                        measured=measured,
                    )


def _labels(row: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key}={value}" for key, value in row.items() if isinstance(value, str) and key != "label")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _scores(record: RunRecord) -> dict[tuple[str, int, int, str], tuple[str, float]]:
    """Returns, by method, seed, step and domain, the step's checkpoint and what the domain lost by it, in points."""
    found = {}
    leaderboard = record.leaderboard
    for row in leaderboard.rows:
        for before, after in zip(row.trajectory, row.trajectory[1:], strict=False):
            for domain in leaderboard.columns:
                first, second = before.scores.get(domain), after.scores.get(domain)
                if first is None or second is None:
                    continue
                sign = 1.0 if leaderboard.higher_is_better(domain) else -1.0
                for index, seed in enumerate(row.seeds):
                    a = first.per_seed[index if len(first.per_seed) > 1 else 0]
                    b = second.per_seed[index] if index < len(second.per_seed) else None
                    if a is not None and b is not None:
                        key = after.checkpoints[index if len(after.checkpoints) > 1 else 0]
                        found[row.method, seed, after.step, domain] = (key, sign * (a - b))
    return found


def predicted_damage(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent where no probe predicts, or nothing was scored on both sides of a predicted step."""
    name, title = "damage-against-prediction", "Predicted damage"
    points = list(predictions(record))
    if not points:
        reason = (
            f"No probe of this run predicts what a step costs a domain: rows with `step`, `{DOMAIN[0]}` and a column "
            f"that begins with `{PREFIX}` or ends with `{SUFFIX}`. A probe of predicted damage under `probes` does."
        )
        return Absent(name=name, title=title, reason=reason)
    by_kind: dict[str, list[Prediction]] = defaultdict(list)
    for point in points:
        by_kind[point.kind].append(point)
    ranks = [
        f"{kind}: {rank_correlation([p.predicted for p in kept], [p.measured for p in kept])}, n = {len(kept)}"
        for kind, kept in by_kind.items()
    ]
    seeds = sorted({point.seed for point in points})
    rows = [_row(point) for point in points]
    return Figure(
        name=name,
        title=title,
        caption=(
            "A point a step and domain: across, what the probe predicted, in its own unit; up, the points that the "
            f"domain lost by the step, negative where it gained. {'Seeds' if len(seeds) > 1 else 'Seed'} "
            f"{listed(list(map(str, seeds)))}, each a point of its own; sampling errors are not drawn. "
            f"Spearman's rank correlation: {'; '.join(ranks)}."
        ),
        description=f"Scatter of the damage against its prediction. Rank correlation of {'; '.join(ranks)}.",
        chart=lambda layout: _chart(rows, layout),
        numbers=TextTable(
            title=title,
            subtitle="Measured: points lost by the step",
            columns=("Prediction", "Method", "Seed", "Step", "Domain", "Predicted", "Measured"),
            rows=tuple(
                (
                    point.kind,
                    point.method,
                    str(point.seed),
                    str(point.step),
                    point.domain,
                    _short(point.predicted),
                    number(point.measured, 2),
                )
                for point in points
            ),
        ),
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> str:
    """Returns Spearman's rank correlation as text, or that there are too few different points for one."""
    centred = [[rank - (len(first) - 1) / 2 for rank in _ranks(values)] for values in (first, second)]
    norm = math.sqrt(math.prod(math.fsum(value * value for value in values) for values in centred))
    if len(first) < 3 or norm == 0:
        return "none, too few different points"
    return number(math.fsum(a * b for a, b in zip(*centred, strict=True)) / norm, 2)


def _ranks(values: Sequence[float]) -> list[float]:
    """Returns each value's rank from 0; equal values share the mean of theirs."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values
    ]


def _short(value: float) -> str:
    text = f"{value:.4g}"
    return f"−{text[1:]}" if text.startswith("-") else text


def _row(point: Prediction) -> Row:
    return {
        "kind": point.kind,
        "domain": point.domain,
        "predicted": point.predicted,
        "measured": point.measured,
        "tip": (
            f"{point.kind}; {point.method}, seed {point.seed}, step {point.step}, {point.domain}: predicted "
            f"{point.predicted:.3g}, lost {number(point.measured, 2)} points"
        ),
    }


def _chart(rows: list[Row], layout: Layout) -> alt.TopLevelMixin:
    kinds, domains = (list(dict.fromkeys(row[field] for row in rows)) for field in ("kind", "domain"))
    shapes = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left"]
    base = alt.Chart()
    zero = base.transform_aggregate(points="count()").mark_rule(strokeDash=[4, 3]).encode(y=alt.Y(datum=0))
    points = base.mark_point(filled=True, size=80, opacity=0.9).encode(
        x=alt.X("predicted:Q", title="predicted", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        y=alt.Y("measured:Q", title="points lost"),
        color=alt.Color("domain:N", scale=alt.Scale(domain=domains, range=colours(len(domains)))),
        shape=alt.Shape(
            "domain:N",
            scale=alt.Scale(domain=domains, range=[shapes[i % len(shapes)] for i in range(len(domains))]),
            legend=alt.Legend(columns=4 if layout == "wide" else 2, title="domain"),
        ),
        description="tip:N",
    )
    layered = alt.layer(zero, points).properties(width=390 if layout == "wide" else 275, height=220)
    chart = layered.facet(
        facet=alt.Facet("kind:N", sort=kinds, title=None), columns=2 if layout == "wide" else 1, data=data(rows)
    )
    made: alt.FacetChart = chart.resolve_scale(x="independent")
    return made
