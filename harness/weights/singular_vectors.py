"""TSV: merges the main singular vectors of the experts' deltas after making them orthogonal to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from harness.weights.merging import DeltaFormula, DeltaMethod
from harness.weights.stream import Chunk, Stream


@dataclass(frozen=True, kw_only=True)
class SingularVectors(DeltaMethod):
    """θ₀ + scale · U⊥ Σ V⊥ᵀ for matrices, θ₀ + scale · the mean of wᵢ·τᵢ for other tensors: Task Singular Vectors
    (arXiv 2412.00081, TSV-Merge).

    U, Σ and V hold the ⌊r / experts⌋ largest singular values of each wᵢ·τᵢ and their vectors, r the smaller side of the
    matrix. U⊥ and V⊥ are the closest matrices with orthonormal columns. Memory: a tensor of each expert in fp32.
    """

    scale: float = 1.0

    def start(self, stream: Stream, chunks: Sequence[Chunk], weights: torch.Tensor) -> DeltaFormula:
        shape = stream.folders[0].shape(chunks[0].name)
        if len(shape) != 2:
            return lambda deltas: deltas.mul_(weights).mean(dim=0).mul_(self.scale)
        whole = torch.empty(len(stream.folders) - 1, shape[0] * shape[1])
        for chunk in chunks:
            before, *after = stream.read(chunk)
            torch.sub(torch.stack(after), before, out=whole[:, chunk.start : chunk.start + chunk.count])
        merged = merged_matrices(whole.mul_(weights).view(-1, *shape)).mul_(self.scale).flatten()
        del whole
        done = 0

        def combine(deltas: torch.Tensor) -> torch.Tensor:
            nonlocal done
            part = merged[done : done + deltas.shape[1]]
            done += deltas.shape[1]
            return part

        return combine


def merged_matrices(deltas: torch.Tensor) -> torch.Tensor:
    """Returns U⊥ Σ V⊥ᵀ, [rows, columns], of deltas, [experts, rows, columns]."""
    kept = min(deltas.shape[1:]) // len(deltas)
    left, values, right = zip(*(torch.linalg.svd(delta, full_matrices=False) for delta in deltas), strict=True)
    u = _orthonormal(torch.cat([one[:, :kept] for one in left], dim=1))
    s = torch.cat([one[:kept] for one in values])
    v = _orthonormal(torch.cat([one[:kept] for one in right], dim=0))
    return (u * s) @ v


def _orthonormal(matrix: torch.Tensor) -> torch.Tensor:
    """Returns the closest matrix with orthonormal columns or rows: the factor of its polar decomposition."""
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    return torch.mm(left, right)
