"""Forgetting by method and domain, and the change of every domain in each step."""

from __future__ import annotations

from harness.report.figure import Absent, Figure
from harness.report.record import RunRecord
from harness.report.score_matrix import score_matrix, step_change
from harness.report.tables.layout import shortest_first
from harness.results.estimates import Estimate, estimate


def forgetting(record: RunRecord) -> Figure | Absent:
    """Returns forgetting by method and domain; absent if no step follows the training of a domain."""
    leaderboard = record.leaderboard
    name, title = "forgetting", "Forgetting"
    cells = {
        (row.method, column): one
        for row in leaderboard.rows
        for column, one in row.forgetting_by_domain.items()
        if one.mean is not None
    }
    if not cells:
        reason = "No method has a score of a domain after a step that follows its training."
        return Absent(name=name, title=title, reason=reason)
    return score_matrix(
        leaderboard,
        cells,
        name=name,
        title=title,
        first="Method",
        text=(
            "Best score of a domain at any earlier step minus its final score, in {unit}. Positive values (orange): "
            "the domain got worse. Negative values (blue): the final score is the best one. Only domains whose "
            " training was followed by another step have a cell."
        ),
    )


def change_by_step(record: RunRecord) -> Figure | Absent:
    """Returns the change of every domain in every step; absent if no step has scores before and after it."""
    leaderboard = record.leaderboard
    name, title = "change-by-step", "Change by step"
    cells: dict[tuple[str, str], Estimate] = {}
    shown: set[tuple[str, ...]] = set()
    for row in shortest_first(leaderboard.rows):
        for before, after in zip(row.trajectory, row.trajectory[1:], strict=False):
            if after.checkpoints in shown:
                continue
            shown.add(after.checkpoints)
            for column in leaderboard.columns:
                higher = leaderboard.higher_is_better(column)
                change = estimate(step_change(before, after, column, higher_is_better=higher))
                if change.mean is not None:
                    cells[f"{row.method} {after.step}: {after.label.removeprefix('train ')}", column] = change
    if not cells:
        reason = "No step has scores before and after it yet."
        return Absent(name=name, title=title, reason=reason)
    return score_matrix(
        leaderboard,
        cells,
        name=name,
        title=title,
        first="Method, step",
        text=(
            "Score after a step minus the score before it, in {unit}, with the sign flipped if lower is better. "
            "Positive values (blue) are gains, negative values (orange) are losses: interference, unless the step "
            "trained the domain. Steps that methods share are shown once."
        ),
        signed=True,
    )
