"""Merges of experts that were trained from one base, streamed: formulas over edits τᵢ = θᵢ − θ₀, in fp32.

The semantics are those of mergekit 0.1.5, with which benchmarks/mergekit_agreement.py compares them.
"""

from __future__ import annotations

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
"""A sum of weights below it divides nothing, as in mergekit."""

Told = Callable[[int, int], None]
"""Hears how many of how many coordinates are done."""


@dataclass(frozen=True, kw_only=True)
class EditMerge:
    """θ₀ + scale · Σᵢ wᵢ·sparse(τᵢ), the sum with its options.

    sparsity: which of each edit stays; all of it where None. elect: a coordinate takes only the edits whose sign is
    that of the weighted sum of all, where the sum of 0 counts as positive: TIES (arXiv 2306.01708, section 4).
    normalize: divides by the sum of the weights of the edits taken. Without any: task arithmetic (arXiv 2212.04089).
    """

    sparsity: Sparsity | None = None
    elect: bool = False
    normalize: bool = False
    scale: float = 1.0

    def combine(self, edits: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Returns what is added to θ₀, from the edits (expert × coordinate), which it overwrites."""
        edits.mul_(weights)
        divisor: torch.Tensor | None = None
        if self.elect:
            sign = torch.where(edits.sum(dim=0) >= 0, 1.0, -1.0)
            agree = edits.sign() == sign
            edits.mul_(agree)
            divisor = (weights * agree).sum(dim=0)
            divisor[divisor == 0] = 1.0
        elif self.normalize:
            divisor = weights.sum(dim=0)
            divisor[divisor.abs() < _NEARLY_ZERO] = 1.0
        total = edits.sum(dim=0)
        if self.normalize and divisor is not None:
            total.div_(divisor)
        return total if self.scale == 1 else total.mul_(self.scale)


def merge_edits(
    base: WeightFolder,
    experts: Sequence[tuple[float, WeightFolder]],
    method: EditMerge,
    output: Path,
    *,
    told: Told | None = None,
    chunk: int = CHUNK,
) -> None:
    """Writes the merge of `experts`, each with its weight, to `output`.

    Files and dtypes are the first expert's; fp32 between, rounded once. Tensors that are no floating-point numbers are
    the first expert's. Memory: some chunks for each model. Raises CheckpointError for models that differ in tensors,
    shapes or tokenizer, experts that differ in dtypes, weights stored twice, values that are not finite, and as
    `patched_copy`.
    """
    folders = [base, *(folder for _, folder in experts)]
    check_mergeable(folders[1:], base)
    first = folders[1]
    stream = Stream(folders, _floating(first), chunk=chunk)
    weights = torch.tensor([weight for weight, _ in experts], dtype=torch.float32).unsqueeze(1)
    done = 0
    with patched_copy(first, output, rewritten=stream.names) as copy:
        for chunks in _by_tensor(stream):
            parts = (
                [method.sparsity.start(stream, index, chunks) for index in range(1, len(folders))]
                if method.sparsity is not None
                else []
            )
            for piece in chunks:
                before, *after = _finite(stream, piece)
                edits = torch.stack(after).sub_(before)
                for edit, part in zip(edits, parts, strict=bool(parts)):
                    part.apply(edit)
                merged = method.combine(edits, weights).add_(before)
                _write(copy.write, first, merged, piece)
                done += piece.count
            if told is not None:
                told(done, stream.coordinates)


def merge_linear(
    models: Sequence[tuple[float, WeightFolder]],
    output: Path,
    *,
    base: WeightFolder | None = None,
    told: Told | None = None,
    chunk: int = CHUNK,
) -> None:
    """Writes Σ wᵢ·θᵢ / Σ wᵢ to `output`: model soups (arXiv 2203.05482), WiSE-FT of two (arXiv 2109.01903, equation 1).

    Added up in the order of `models`, then divided. `base`, where it is given, is only compared. Files, dtypes, memory
    and errors as of `merge_edits`.
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
            if told is not None:
                told(done, stream.coordinates)


def check_mergeable(experts: Sequence[WeightFolder], base: WeightFolder | None = None) -> None:
    """Raises CheckpointError where models cannot be merged: tensors, shapes, dtypes or tokenizers differ, or weights
    are stored twice. The base's dtypes may be others."""
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
    """Returns the chunk's values, folder by folder. Raises CheckpointError for one that is not finite."""
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
