"""Opens the experts of a merge."""

from __future__ import annotations

from harness import CheckpointError, MergeContext
from harness.weights import WeightFolder


def opened(context: MergeContext) -> tuple[WeightFolder, list[tuple[float, WeightFolder]]]:
    """Returns the base, and each expert with its weight. Raises CheckpointError that names an incomplete expert."""
    experts = []
    for expert in context.experts:
        try:
            experts.append((expert.weight, WeightFolder(expert.folder)))
        except CheckpointError as error:
            raise error.met_by(f"expert {expert.name}") from error
    return WeightFolder(context.base), experts
