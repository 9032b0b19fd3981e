"""How two checkpoints of one model differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import CheckpointError
from harness.weights.folder import WeightFolder

# Paper A, arXiv 2606.02398, as noted by readers: an edit below both counts as no edit.
UNCHANGED_ABSOLUTE = 1e-7
UNCHANGED_RELATIVE = 1e-3


@dataclass(frozen=True, kw_only=True)
class EditSummary:
    """An edit in numbers: coordinates in all, those whose value differs at all, those beyond Paper A's thresholds,
    and the edit's Euclidean norm."""

    coordinates: int
    differing: int
    edited: int
    norm: float

    @property
    def unchanged_share(self) -> float:
        """The share of coordinates within Paper A's thresholds, from 0 to 1."""
        return 1 - self.edited / self.coordinates


def check_same_tensors(first: WeightFolder, second: WeightFolder) -> None:
    """Raises CheckpointError where the two models have not the same tensors of the same shapes."""
    only_first, only_second = set(first.names()) - set(second.names()), set(second.names()) - set(first.names())
    if only_first or only_second:
        example = sorted(only_first or only_second)[0]
        raise CheckpointError(
            f"the checkpoints have different tensors ({len(only_first)} only in the first, {len(only_second)} only in"
            f" the second, such as {example})",
            where=f"{first.folder} and {second.folder}",
            hint="both must come from the same base model",
        )
    for name in first.names():
        if first.shape(name) != second.shape(name):
            raise CheckpointError(
                f"{name} has the shape {first.shape(name)} in one checkpoint and {second.shape(name)} in the other",
                where=f"{first.folder} and {second.folder}",
                hint="both must come from the same base model",
            )


def edit_summary(before: WeightFolder, after: WeightFolder) -> EditSummary:
    """Returns what changed from `before` to `after`, in fp32. Raises CheckpointError for different models."""
    check_same_tensors(before, after)
    coordinates = differing = edited = 0
    squares = 0.0
    for name, old in before:
        old32, new32 = old.float(), after.read(name).float()
        edit = (new32 - old32).abs_()
        coordinates += edit.numel()
        differing += int((edit > 0).sum())
        # Unchanged is both small in itself and small against the old value.
        edited += int(((edit >= UNCHANGED_ABSOLUTE) | (edit >= UNCHANGED_RELATIVE * old32.abs()) & (edit > 0)).sum())
        squares += float(edit.double().square().sum())
    return EditSummary(coordinates=coordinates, differing=differing, edited=edited, norm=math.sqrt(squares))
