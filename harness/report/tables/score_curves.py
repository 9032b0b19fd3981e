"""The table of the scores by optimizer steps."""

from __future__ import annotations

from harness.report.tables.layout import TextTable, decimals, header, interval
from harness.results.leaderboard import Leaderboard
from harness.results.score_curves import ScoreCurves


def curve_table(curves: ScoreCurves, leaderboard: Leaderboard) -> TextTable:
    """Returns one row per scored model of a method. Models that methods share are not repeated."""
    rows = []
    shown: set[tuple[str, ...]] = set()
    for curve in sorted(curves.methods, key=lambda curve: len(curve.points)):
        for point in curve.points:
            if point.checkpoints in shown:
                continue
            shown.add(point.checkpoints)
            scores = [interval(point.scores.get(name), decimals(leaderboard, name)) for name in curves.columns]
            label = f"{curve.method}: {point.label}" if point.step else point.label
            rows.append((label, str(point.optimizer_step), str(point.total_steps), *scores))
    return TextTable(
        title="Scores by optimizer steps",
        subtitle="Means over the seeds. The last optimizer step of a step is its checkpoint.",
        columns=("Step", "Optimizer step", "Since the base", *(header(leaderboard, name) for name in curves.columns)),
        rows=tuple(rows),
    )
