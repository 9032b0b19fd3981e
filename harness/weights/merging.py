"""Merges experts that were trained from one base, streamed: formulas over deltas τᵢ = θᵢ − θ₀, in fp32.

The results are those of mergekit 0.1.5; benchmarks/mergekit_agreement.py compares them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch

from harness.errors import CheckpointError
from harness.weights.folder import WeightFolder
from harness.weights.patch import patched_copy
from harness.weights.same_model import check_same_tensors, check_same_tokenizer, check_stored_once
from harness.weights.scores import refuse_not_finite
from harness.weights.sparsity import Sparsity
from harness.weights.stream import CHUNK, Chunk, Stream

_NEARLY_ZERO = 1e-8
"""As in mergekit, nothing is divided by a smaller sum of weights."""

Progress = Callable[[int, int], None]
"""Called with the number of weights that are done and the number of all."""


DeltaFormula = Callable[[torch.Tensor], torch.Tensor]
"""Returns what is added to θ₀, [n], from the deltas of a chunk, [experts, n], which it may overwrite. Called with a
tensor's chunks in order."""


class DeltaMethod(ABC):
    """A formula over deltas, applied tensor by tensor."""

    @abstractmethod
    def start(self, stream: Stream, chunks: Sequence[Chunk], weights: torch.Tensor) -> DeltaFormula:
        """Returns the formula for one tensor. stream: of the base and the experts, which may be read first. chunks: all
        of the tensor. weights: wᵢ, [experts, 1]."""


@dataclass(frozen=True, kw_only=True)
class DeltaMerge(DeltaMethod):
    """θ₀ + scale · Σᵢ wᵢ·sparse(τᵢ), the sum with its options.

    sparsity: the share of each delta that is kept; None keeps all. elect: for each weight, adds only the deltas that
    have the sign of the weighted sum of all deltas, where a sum of 0 is positive: TIES (arXiv 2306.01708, section 4).
    normalize: divides by the sum wᵢ of the deltas that were added. With none of these: task arithmetic
    (arXiv 2212.04089, section 2).
    """

    sparsity: Sparsity | None = None
    elect: bool = False
    normalize: bool = False
    scale: float = 1.0

    def start(self, stream: Stream, chunks: Sequence[Chunk], weights: torch.Tensor) -> DeltaFormula:
        parts = (
            [self.sparsity.start(stream, index, chunks) for index in range(1, len(stream.folders))]
            if self.sparsity is not None
            else []
        )

        def combine(deltas: torch.Tensor) -> torch.Tensor:
            for delta, part in zip(deltas, parts, strict=bool(parts)):
                part.apply(delta)
            return self.combine(deltas, weights)

        return combine

    def combine(self, deltas: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Returns what is added to θ₀, [n].

        deltas: sparse(τᵢ), [experts, n]; overwritten. weights: wᵢ, [experts, 1].
        """
        deltas.mul_(weights)
        divisor: torch.Tensor | None = None
        if self.elect:
            sign = torch.where(deltas.sum(dim=0) >= 0, 1.0, -1.0)
            agree = deltas.sign() == sign
            deltas.mul_(agree)
            divisor = (weights * agree).sum(dim=0)
            divisor[divisor == 0] = 1.0
        elif self.normalize:
            divisor = weights.sum(dim=0)
            divisor[divisor.abs() < _NEARLY_ZERO] = 1.0
        total = deltas.sum(dim=0)
        if self.normalize and divisor is not None:
            total.div_(divisor)
        return total if self.scale == 1 else total.mul_(self.scale)


def merge_deltas(
    base: WeightFolder,
    experts: Sequence[tuple[float, WeightFolder]],
    method: DeltaMethod,
    output: Path,
    *,
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> None:
    """Writes the merge of `experts`, pairs of a weight wᵢ and a model, to `output`.

    Computed in fp32 and rounded once. Files, dtypes and integer tensors are the first expert's. Memory: some chunks of
    each model. Raises CheckpointError for models that differ in tensors, shapes or tokenizer, experts that differ in
    dtypes, tied weights that are stored twice, values that are not finite, and as `patched_copy` does.
    """
    folders = [base, *(folder for _, folder in experts)]
    check_mergeable(folders[1:], base)
    first = folders[1]
    stream = Stream(folders, _floating(first), chunk=chunk)
    weights = torch.tensor([weight for weight, _ in experts], dtype=torch.float32).unsqueeze(1)
    done = 0
    with patched_copy(first, output, rewritten=stream.names) as copy:
        for chunks in _by_tensor(stream):
            combine = method.start(stream, chunks, weights)
            for piece in chunks:
                before, *after = _finite(stream, piece)
                merged = combine(torch.stack(after).sub_(before)).add_(before)
                _write(copy.write, first, merged, piece)
                done += piece.count
            if progress is not None:
                progress(done, stream.count)


def merge_linear(
    models: Sequence[tuple[float, WeightFolder]],
    output: Path,
    *,
    base: WeightFolder | None = None,
    progress: Progress | None = None,
    chunk: int = CHUNK,
) -> None:
    """Writes Σ wᵢ·θᵢ / Σ wᵢ to `output`: model soups (arXiv 2203.05482); of two models, WiSE-FT (arXiv 2109.01903,
    equation 1).

    Summed in the order of `models`, then divided. base: only checked to be the same model. Files, dtypes, memory and
    errors are those of `merge_deltas`.
    """
    folders = [folder for _, folder in models]
    check_mergeable(folders, base)
    first = folders[0]
    stream = Stream(folders, _floating(first), chunk=chunk)
    weights = torch.tensor([weight for weight, _ in models], dtype=torch.float32)
    total = weights.sum()
    done = 0
    with patched_copy(first, output, rewritten=stream.names) as copy:
        for piece in stream.chunks:
            merged = torch.zeros(piece.count)
            for weight, values in zip(weights, _finite(stream, piece), strict=True):
                merged.addcmul_(values, weight)
            _write(copy.write, first, merged.div_(total), piece)
            done += piece.count
            if progress is not None:
                progress(done, stream.count)


def check_mergeable(experts: Sequence[WeightFolder], base: WeightFolder | None = None) -> None:
    """Raises CheckpointError for models that cannot be merged: tensors, shapes, dtypes or tokenizers differ, or tied
    weights are stored twice. The base may have other dtypes."""
    first, *others = experts
    for model in experts:
        check_stored_once(model)
    for other in others:
        check_same_tensors(first, other, dtypes=True)
        check_same_tokenizer(first, other)
    if base is not None:
        check_stored_once(base, read_only=True)
        check_same_tensors(base, first)
        check_same_tokenizer(base, first)


def _floating(model: WeightFolder) -> list[str]:
    return [name for name in model.names() if model.dtype(name).is_floating_point and model.place(name).count]


def _by_tensor(stream: Stream) -> Iterator[list[Chunk]]:
    for _, chunks in groupby(stream.chunks, key=lambda chunk: chunk.name):
        yield list(chunks)


def _finite(stream: Stream, chunk: Chunk) -> list[torch.Tensor]:
    """Returns the chunk's values in each folder. Raises CheckpointError for a value that is not finite."""
    values = stream.read(chunk)
    for folder, read in zip(stream.folders, values, strict=True):
        refuse_not_finite(read, folder.folder, chunk)
    return values


def _write(
    write: Callable[[str, torch.Tensor, int], None], model: WeightFolder, merged: torch.Tensor, chunk: Chunk
) -> None:
    dtype = model.dtype(chunk.name)
    rounded = merged.to(dtype)
    if not torch.isfinite(rounded).all():
        raise CheckpointError(
            f"the merge of {chunk.name} holds values that are too large for {dtype}",
            where=str(model.folder),
            hint="lower the scale or the weights of the merge",
        )
    write(chunk.name, rounded, chunk.start)
