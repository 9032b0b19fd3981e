"""The weight delta of the step that `against` names."""

from __future__ import annotations

from collections.abc import Sequence

from harness import LineageEntry, StepFailed
from harness.weights import WeightDelta, delta_between, delta_since_peak
from harness_recoveries.rollback.config import harmful_step


def delta_of_step(
    lineage: Sequence[LineageEntry], against: int | str, peak: int, exclude: Sequence[str]
) -> WeightDelta:
    """Returns the delta of the step that `against` names.

    Raises StepFailed if it names no step after the peak, CheckpointError if the checkpoints are different models.
    """
    try:
        step = harmful_step(against, [entry.label for entry in lineage], peak)
    except ValueError as error:
        raise StepFailed(f"against: {error}") from error
    now, before = lineage[-1].folder, lineage[step - 1].folder
    if step == len(lineage) - 1:
        return delta_since_peak(now, before, exclude)
    return delta_between(now, lineage[step].folder, before, exclude)
