"""How two checkpoints of one model differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from harness.weights.folder import WeightFolder
from harness.weights.same_model import check_same_tensors
from harness.weights.stream import Stream

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


def edit_summary(before: WeightFolder, after: WeightFolder) -> EditSummary:
    """Returns what changed from `before` to `after`, in fp32. Raises CheckpointError for different models."""
    check_same_tensors(before, after)
    stream = Stream([before, after], before.names())
    differing = edited = 0
    squares = 0.0
    for _, (old, new) in stream:
        edit = torch.sub(new, old).abs_()
        moved = edit > 0
        differing += int(moved.sum())
        # Unchanged is both small in itself and small against the old value.
        edited += int(((edit >= UNCHANGED_ABSOLUTE) | (edit >= UNCHANGED_RELATIVE * old.abs()) & moved).sum())
        squares += float(edit.double().square().sum())
    return EditSummary(coordinates=stream.coordinates, differing=differing, edited=edited, norm=math.sqrt(squares))
