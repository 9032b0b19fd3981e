"""What training one domain did to every domain."""

from __future__ import annotations

from collections import defaultdict

from harness.report.figure import Absent, Figure
from harness.report.record import RunRecord
from harness.report.score_matrix import score_matrix, step_change
from harness.report.tables.layout import shortest_first
from harness.results import metrics
from harness.results.estimates import estimate
from harness.results.metrics import Score


def transfer(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no training has scores before and after it."""
    leaderboard = record.leaderboard
    name, title = "transfer", "Transfer"
    gains: dict[tuple[str, str], dict[int, list[Score]]] = defaultdict(lambda: defaultdict(list))
    shown: set[tuple[str, ...]] = set()
    for row in shortest_first(leaderboard.rows):
        for before, after in zip(row.trajectory, row.trajectory[1:], strict=False):
            if after.checkpoints in shown or after.recovered is not None or not after.trained:
                continue
            shown.add(after.checkpoints)
            for column in leaderboard.columns:
                higher = leaderboard.higher_is_better(column)
                changes = step_change(before, after, column, higher_is_better=higher)
                for seed, change in zip(row.seeds, changes, strict=False):
                    if change is not None:
                        gains["+".join(after.trained), column][seed].append(change)
    if not gains:
        reason = "No training has scores before and after it yet."
        return Absent(name=name, title=title, reason=reason)
    order = {column: place for place, column in enumerate(leaderboard.columns)}
    places = sorted(gains, key=lambda cell: order.get(cell[0], len(order)))
    return score_matrix(
        leaderboard,
        {cell: estimate([metrics.mean(by_seed) for _, by_seed in sorted(gains[cell].items())]) for cell in places},
        name=name,
        title=title,
        first="Trained",
        text=(
            "The gain of each domain (column) in a step that trains another one (row), in {unit}, with the sign "
            "flipped if lower is better; the mean over all such steps of all methods, whatever was trained before. Off "
            "the diagonal, positive values (blue) are transfer and negative values (orange) are interference."
        ),
        signed=True,
    )
