"""What a method samples after its last training, which is what its recoveries cost."""

from __future__ import annotations

from harness.results.leaderboard import Leaderboard, Row


def last_training(row: Row) -> int:
    """Returns the index of the last step that is no recovery."""
    return max((place for place, step in enumerate(row.trajectory) if step.recovered is None), default=0)


def recovery_completions(row: Row) -> float | None:
    """Returns the completions that the recoveries after the method's last training sampled, 0 without any.

    None if they are not known. Older records have no cost per step; a single recovery has its own in them.
    """
    start = last_training(row)
    own = row.trajectory[start + 1 :]
    if not own:
        return 0.0
    before, after = row.trajectory[start].cost, own[-1].cost
    if before is not None and after is not None:
        return after.completions - before.completions
    recovery = row.recovery
    return recovery.cost.completions if len(own) == 1 and recovery is not None and recovery.cost is not None else None


def is_start_of_a_recovery(leaderboard: Leaderboard, row: Row) -> bool:
    """Returns whether a recovery of another method starts from the method's last checkpoint."""
    last = set(row.trajectory[-1].checkpoints) if row.trajectory else set()
    return any(
        last & set(other.trajectory[last_training(other)].checkpoints)
        for other in leaderboard.rows
        if other.method != row.method and last_training(other) < len(other.trajectory) - 1
    )
