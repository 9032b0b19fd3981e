"""Score by optimizer steps, within each training and over all steps, in a panel per domain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harness.report.captions import items, listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Absent, Figure
from harness.report.looks import method_looks
from harness.report.plots.model import Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import decimals, header
from harness.report.tables.score_curves import curve_table
from harness.results.leaderboard import Leaderboard
from harness.results.score_curves import ScoreCurve, ScoreCurves


def score_curves(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if the protocol does not score models within trainings."""
    name, title, leaderboard = "score-curves", "Scores within trainings", record.leaderboard
    if record.score_curves is None:
        reason = "Models within trainings were not scored: set `evaluate: {every: N}`, N optimizer steps."
        return Absent(name=name, title=title, reason=reason)
    curves = record.score_curves
    panels = tuple(panel for column in curves.columns for panel in _panel(curves, leaderboard, column))
    if not panels:
        return Absent(name=name, title=title, reason="No checkpoint has been scored yet.")
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Scores in {unit(leaderboard, curves.columns)} by optimizer steps since the base model. Triangles are the "
            "ends of steps, circles are models within a training. Vertical lines mark where a step starts. Each panel "
            "has its own vertical scale. Parts that methods share are drawn once, for the shortest method. "
            f"{over_scored_seeds(leaderboard)} {items(leaderboard)}"
        ),
        description=(
            f"Line chart of the scores on {listed(curves.columns)} by optimizer steps, for the methods "
            f"{listed([curve.method for curve in curves.methods])}."
        ),
        views=(View(name="optimizer steps", panels=panels),),
        numbers=curve_table(curves, leaderboard),
    )


def _panel(curves: ScoreCurves, leaderboard: Leaderboard, column: str) -> Sequence[Points]:
    looks = method_looks(leaderboard)
    drawn: set[tuple[str, ...]] = set()
    series = []
    for curve in sorted(curves.methods, key=lambda one: len(one.points)):
        marks = _marks(curve, leaderboard, column, drawn)
        drawn.update(point.checkpoints for point in curve.points)
        if marks:
            look = looks.get(curve.method)
            series.append(Series(name=curve.method, method=curve.method, look=look, marks=marks, band=True, small=True))
    if not series:
        return ()
    ends = [value for one in series for mark in one.marks for value in (mark.low, mark.y, mark.high)]
    rules = tuple(
        Rule(at=at, along="x", tip=f"start of {listed(labels)}") for at, labels in _starts(curves).items() if labels
    )
    steps = [float(point.total_steps) for curve in curves.methods for point in curve.points]
    across = linear_axis("optimizer steps since the base model", steps, include=(0.0,), flush=True)
    scores = linear_axis("score (%)" if unit(leaderboard, (column,)) == "percent" else "score", ends)
    return (Points(title=header(leaderboard, column), x=across, y=scores, series=tuple(series), rules=rules),)


def _marks(curve: ScoreCurve, leaderboard: Leaderboard, column: str, drawn: set[tuple[str, ...]]) -> tuple[Mark, ...]:
    """Returns the marks of a method from where it leaves the methods that are drawn; none if it does not."""
    own = [point.checkpoints not in drawn for point in curve.points]
    if not any(own):
        return ()
    first = max(0, own.index(True) - 1)
    marks = []
    for point, drawn_here in zip(curve.points[first:], own[first:], strict=True):
        score = point.scores.get(column)
        if score is None or score.mean is None:
            continue
        low, high = score.ci95 or (score.mean, score.mean)
        place = f"{curve.method}, step {point.step} ({point.label}), optimizer step {point.optimizer_step}"
        marks.append(
            Mark(
                x=float(point.total_steps),
                y=score.mean,
                low=low,
                high=high,
                shape="triangle" if point.last else "circle",
                drawn=drawn_here,
                tip=f"{place}, {column}: {with_interval(score, decimals(leaderboard, column))}",
            )
        )
    return tuple(marks)


def _starts(curves: ScoreCurves) -> dict[float, list[str]]:
    """Returns the labels of the steps that start after each number of optimizer steps, of all methods."""
    found: dict[float, list[str]] = {}
    for curve in curves.methods:
        for before, point in pairwise(point for point in curve.points if point.last):
            labels = found.setdefault(float(before.total_steps), [])
            if point.label not in labels:
                labels.append(point.label)
    return found
