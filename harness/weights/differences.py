"""The difference between two checkpoints of one model, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from harness.weights.folder import WeightFolder
from harness.weights.same_model import check_same_tensors
from harness.weights.stream import Stream

# arXiv 2606.02398, as reported by its readers: a weight whose change is below both counts as unchanged.
UNCHANGED_ABSOLUTE = 1e-7
UNCHANGED_RELATIVE = 1e-3


@dataclass(frozen=True, kw_only=True)
class DeltaSummary:
    """A weight delta in numbers. Reports of recoveries store it under these names.

    coordinates: the number of weights. differing: those whose value differs at all. edited: those whose change reaches
    one of the thresholds of arXiv 2606.02398. norm: the delta's Euclidean norm.
    """

    coordinates: int
    differing: int
    edited: int
    norm: float

    @property
    def unchanged_share(self) -> float:
        """The share of weights below both thresholds, from 0 to 1."""
        return 1 - self.edited / self.coordinates


def delta_summary(before: WeightFolder, after: WeightFolder) -> DeltaSummary:
    """Returns what changed from `before` to `after`, computed in fp32. Raises CheckpointError for different models."""
    check_same_tensors(before, after)
    stream = Stream([before, after], before.names())
    differing = edited = 0
    squares = 0.0
    for _, (old, new) in stream:
        change = torch.sub(new, old).abs_()
        moved = change > 0
        differing += int(moved.sum())
        edited += int(((change >= UNCHANGED_ABSOLUTE) | (change >= UNCHANGED_RELATIVE * old.abs()) & moved).sum())
        squares += float(change.double().square().sum())
    return DeltaSummary(coordinates=stream.count, differing=differing, edited=edited, norm=math.sqrt(squares))
