"""The differences between two runs as forest plots: averages, and each column."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.plots.model import Line, Rows, View
from harness.report.plots.scales import linear_axis
from harness.report.tables.layout import interval
from harness.results.compare import PairedDifferences
from harness.results.estimates import Estimate
from harness.results.run_comparison import RunComparison

MOST_LINES = 40
"""Further lines of a panel are in the table alone."""
AVERAGE = "average"


def final_scores(found: RunComparison) -> View:
    """Returns the differences of the final scores: a panel for the average and one per column, a line per method."""
    columns = [None, *found.columns]
    panels = (_final_panel(found, column) for column in columns)
    return View(name="final scores", panels=tuple(panel for panel in panels if panel.lines))


def after_steps(found: RunComparison) -> View:
    """Returns the differences after each step: a panel per column, a line per step. Steps with the same checkpoints in
    both runs are left out."""
    panels = []
    for place, column in enumerate(found.columns):
        steps = [one for one in found.steps if one.column == column and not one.same]
        lines = [_line(found, one.place, one.score, one.holm_p_value, place) for one in steps]
        if lines:
            panels.append(_panel(found, column, lines[:MOST_LINES]))
    return View(name="after each step", panels=tuple(panels))


def _final_panel(found: RunComparison, column: str | None) -> Rows:
    lines = [
        _line(found, one.method, estimate, p_value, place)
        for place, one in enumerate(found.methods)
        for estimate, p_value in _difference(one, column)
    ]
    return _panel(found, column or AVERAGE, lines[:MOST_LINES])


def _difference(one: PairedDifferences, column: str | None) -> Iterator[tuple[Estimate, float | None]]:
    if column is None:
        yield one.average, one.average_holm_p_value
    elif column in one.scores:
        yield one.scores[column], one.holm_p_values.get(column)


def _line(found: RunComparison, label: str, score: Estimate, p_value: float | None, look: int) -> Line:
    low, high = score.ci95 or (None, None)
    text = interval(score, found.decimals)
    shown = "" if p_value is None else f", p = {p_value:.3f} after Holm's correction"
    return Line(label=label, text=text, tip=f"{label}: {text}{shown}", value=score.mean, low=low, high=high, look=look)


def _panel(found: RunComparison, title: str, lines: list[Line]) -> Rows:
    shown = f"{title} ↓" if title in found.lower else title
    unit = "percentage points" if title in found.percent or found.all_percent else "points"
    ends = [value for line in lines for value in (line.low, line.value, line.high)]
    axis = linear_axis(f"difference in {unit}", ends, include=(0.0,))
    return Rows(title=shown, axis=axis, lines=tuple(lines), zero=True)
