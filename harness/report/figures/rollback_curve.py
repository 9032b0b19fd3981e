"""Recovered score as a function of the fraction of weights rolled back, with the range of random selections."""

from __future__ import annotations

import math
from collections import defaultdict

from harness.report.captions import listed, with_interval
from harness.report.figure import Absent, Figure, Row
from harness.report.plots.model import Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis, log_axis
from harness.report.record import RunRecord
from harness.report.rollback_rows import NEEDED, REFERENCES, CurvePoint, curve_points
from harness.report.tables.layout import MISSING, TextTable, interval, number
from harness.report.unmeasured import unmeasured
from harness.results.estimates import Estimate, estimate
from harness.results.metrics import Score

RANDOM = "random"
TARGET, AVERAGE = "target", "average of all domains"


def rollback_curve(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no probe measured a curve."""
    name, title = "rollback-by-fraction", "Rollback curve"
    points = list(curve_points(record))
    if all(point.fraction is None for point in points):
        return unmeasured(name, title, measured="measured a rollback curve", needed=NEEDED, probe="a rollback probe")
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
        views=(View(name="", panels=_panels(rows, kinds)),),
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


def _panels(rows: list[Row], kinds: list[str]) -> tuple[Points, ...]:
    names = [kind for kind in kinds if kind != RANDOM] + [RANDOM] * (RANDOM in kinds)
    looks = {name: None if name == RANDOM else place for place, name in enumerate(names)}
    panels = []
    for panel in dict.fromkeys(row["panel"] for row in rows):
        for measure in (TARGET, AVERAGE):
            own = [row for row in rows if (row["panel"], row["measure"]) == (panel, measure)]
            if own:
                panels.append(_panel(f"{panel}, {measure}", own, looks))
    return tuple(panels)


def _panel(title: str, rows: list[Row], looks: dict[str, int | None]) -> Points:
    drawn = [row for row in rows if row["fraction"]]
    series = []
    for name, look in looks.items():
        own = sorted((row for row in drawn if row["kind"] == name), key=lambda row: row["fraction"])
        marks = [
            Mark(x=row["fraction"], y=row["score"], low=row["low"], high=row["high"], tip=row["tip"]) for row in own
        ]
        series.append(Series(name=name, look=look, marks=tuple(marks), band=True))
    references = [row for row in rows if row["fraction"] is None]
    return Points(
        title=title,
        x=log_axis("fraction of weights rolled back", [row["fraction"] for row in drawn]),
        y=linear_axis("score", [row[end] for row in rows for end in ("low", "score", "high")]),
        series=tuple(one for one in series if one.marks),
        rules=tuple(Rule(at=row["score"], along="y", tip=row["tip"]) for row in references),
    )
