"""Linear combinations of checkpoints, such as averages and task arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from harness.weights.folder import WeightFolder
from harness.weights.patch import patched_copy
from harness.weights.same_model import check_same_tensors
from harness.weights.stream import Stream


def linear_combination(models: Sequence[tuple[float, WeightFolder]], output: Path) -> None:
    """Writes Σ wᵢ·θᵢ to `output`. Files, dtypes, integer tensors, config and tokenizer are the first model's.

    Summed in fp32 in the order of `models`, and rounded once. Memory: a few chunks. Raises CheckpointError for
    different models, and as `patched_copy` does.
    """
    weights, folders = [weight for weight, _ in models], [folder for _, folder in models]
    first = folders[0]
    for other in folders[1:]:
        check_same_tensors(first, other)
    stream = Stream(folders, [name for name in first.names() if first.dtype(name).is_floating_point])
    longest = max((chunk.count for chunk in stream.chunks), default=0)
    total = torch.empty(longest, dtype=torch.float32)
    with patched_copy(first, output, rewritten=stream.names) as copy:
        for chunk in stream.chunks:
            sums = total[: chunk.count].zero_()
            for index, weight in enumerate(weights):
                sums.add_(stream.values(index, chunk), alpha=weight)
            copy.write(chunk.name, sums.to(first.dtype(chunk.name)), chunk.start)
