"""What training gained against what was forgotten: one point per method."""

from __future__ import annotations

from harness.report.captions import listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Absent, Figure
from harness.report.looks import method_looks
from harness.report.plasticity import plasticity
from harness.report.plots.model import Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, decimals, interval


def plasticity_against_forgetting(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no method has both numbers."""
    leaderboard = record.leaderboard
    name, title = "plasticity", "Plasticity against forgetting"
    found = [(row, plasticity(row, leaderboard.roles), row.forgetting) for row in leaderboard.rows if not row.reference]
    drawn = [(row, gain, lost) for row, gain, lost in found if gain.mean is not None and lost.mean is not None]
    if not drawn:
        reason = "No method trains one domain after another and has scores before and after each training."
        return Absent(name=name, title=title, reason=reason)
    digits, looks = decimals(leaderboard), method_looks(leaderboard)
    points = "percentage points" if unit(leaderboard, leaderboard.averaged) == "percent" else "points"
    series = []
    for row, gain, lost in drawn:
        assert gain.mean is not None and lost.mean is not None
        (left, right), (low, high) = gain.ci95 or (None, None), lost.ci95 or (None, None)
        tip = f"{row.method}: plasticity {with_interval(gain, digits)}; forgetting {with_interval(lost, digits)}"
        mark = Mark(x=gain.mean, y=lost.mean, left=left, right=right, low=low, high=high, tip=tip)
        series.append(Series(name=row.method, method=row.method, look=looks[row.method], marks=(mark,), line=False))
    marks = [one.marks[0] for one in series]
    without = [row.method for row, gain, lost in found if gain.mean is None or lost.mean is None]
    panel = Points(
        title="",
        x=linear_axis(f"plasticity ({points}), more is better", [v for m in marks for v in (m.left, m.x, m.right)]),
        y=linear_axis(
            f"forgetting ({points}), less is better", [v for m in marks for v in (m.low, m.y, m.high)], include=(0.0,)
        ),
        series=tuple(series),
        rules=(Rule(at=0.0, along="y"),),
    )
    return Figure(
        name=name,
        title=title,
        caption=(
            "Horizontal: the mean gain of a domain in a step that trains it. Vertical: the mean loss of the domains "
            "that a later training could have harmed, from their best earlier score to their last. The best methods "
            f"are at the bottom right. {over_scored_seeds(leaderboard)}"
            + (f" Without one of both numbers: {listed(without)}." if without else "")
        ),
        description="One point per method. " + listed([mark.tip for mark in marks], 6) + ".",
        views=(View(name="", panels=(panel,)),),
        numbers=TextTable(
            title=title,
            subtitle=f"In {points}; 95 % intervals in brackets",
            columns=("Method", "Plasticity", "Forgetting"),
            rows=tuple((row.method, interval(gain, digits), interval(lost, digits)) for row, gain, lost in found),
        ),
    )
