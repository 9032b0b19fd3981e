"""Merges checkpoints of one model by the importance of each weight, Σ cᵢ·θᵢ / Σ cᵢ, streamed and in fp64."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.weights.curvature import Importance
from harness.weights.folder import WeightFolder
from harness.weights.parameter_groups import parameter_group
from harness.weights.patch import CheckpointCopy, patched_copy
from harness.weights.same_model import check_same_tensors, check_same_tokenizer, check_stored_once
from harness.weights.scores import all_finite, refuse_not_finite
from harness.weights.stream import Chunk, Stream
from harness.weights.threads import over_chunks

BLOCK = 1 << 18
"""Weights per chunk: small enough that the fp64 numbers of a chunk stay in a processor's cache."""


@dataclass(frozen=True, kw_only=True)
class WeightedModel:
    """A checkpoint to merge, and how much each of its weights counts."""

    model: WeightFolder
    importance: Importance


@dataclass(frozen=True, kw_only=True)
class WeightedMerge:
    """What a merge did.

    coordinates: the number of weights. differing: those whose value differs from `start`. norm: the Euclidean norm of
    the change. shares: for each model, the mean of cᵢ / Σ cⱼ over the weights. by_module: the same for each module.
    """

    coordinates: int
    differing: int
    norm: float
    shares: tuple[float, ...]
    by_module: dict[str, tuple[float, ...]]


def merge_weighted(
    models: Sequence[WeightedModel],
    output: Path,
    *,
    start: WeightFolder,
    chunk: int = BLOCK,
) -> WeightedMerge:
    """Writes Σ cᵢ·θᵢ / Σ cᵢ to `output`, with cᵢ the importance of each weight of model i.

    Where all cᵢ of a weight are 0, the models' factors take their place. Computed in fp64 in the order of `models`, and
    rounded once, as torch rounds fp64. Files, dtypes, integer tensors, config and tokenizer are those of `start`, which
    the result is compared with. Memory: a few chunks of each model. Raises CheckpointError for models that differ in
    tensors, shapes, dtypes or tokenizer, tied weights that are stored twice, values that are not finite, and as
    `patched_copy` does.
    """
    check_stored_once(start)
    for one in models:
        check_stored_once(one.model, read_only=True)
        check_same_tensors(start, one.model, dtypes=True)
        check_same_tokenizer(start, one.model)
    names = floating_names(start)
    sources = _Sources.of(start, models)
    stream = Stream(sources.folders, names, chunk=chunk)
    with patched_copy(start, output, rewritten=names) as copy:
        parts = over_chunks(stream, lambda own: _Merging(own, models, sources, copy).merge)
    return _summary(stream.chunks, parts, len(models))


def floating_names(model: WeightFolder) -> list[str]:
    """Returns the names of the tensors that a merge computes: those of floating point that are not empty."""
    return [name for name in model.names() if model.dtype(name).is_floating_point and model.place(name).count]


@dataclass(frozen=True)
class _Sources:
    """The folders of a merge without duplicates, `start` first, and the indices of those of each model."""

    folders: list[WeightFolder]
    models: list[int]
    curvatures: list[int | None]

    @classmethod
    def of(cls, start: WeightFolder, models: Sequence[WeightedModel]) -> _Sources:
        folders = [start]

        def place(folder: WeightFolder) -> int:
            for index, known in enumerate(folders):
                if known.folder == folder.folder:
                    return index
            folders.append(folder)
            return len(folders) - 1

        at = [place(one.model) for one in models]
        curvatures = [one.importance.curvature for one in models]
        return cls(folders, at, [None if one is None else place(one) for one in curvatures])


@dataclass(frozen=True, slots=True)
class _Part:
    """What a chunk contributes to the summary. shares: sums over its weights."""

    differing: int
    squares: float
    shares: list[float]


class _Merging:
    """Merges the chunks of one thread, with its own buffers."""

    def __init__(
        self,
        stream: Stream,
        models: Sequence[WeightedModel],
        sources: _Sources,
        copy: CheckpointCopy,
    ) -> None:
        self._stream = stream
        self._importance = [one.importance for one in models]
        self._sources = sources
        self._copy = copy
        longest = max((chunk.count for chunk in stream.chunks), default=0)
        each = len(models) if any(one.curvature is not None for one in self._importance) else 0
        self._buffers = torch.empty(4 + each, longest, dtype=torch.float64)
        self._rounded = torch.empty(longest * 8, dtype=torch.uint8)  # once, since new pages of memory cost time

    def merge(self, chunk: Chunk) -> _Part:
        """Writes the merged values of a chunk."""
        stream, sources = self._stream, self._sources
        raw = [stream.raw(index, chunk) for index in range(len(sources.folders))]
        total, value, now, sums, *own = (buffer[: chunk.count] for buffer in self._buffers)
        counts = self._counts(chunk, raw, own)
        divisor = _divided(counts, [one.factor for one in self._importance], sums)
        total.zero_()
        for index, count in zip(sources.models, counts, strict=True):
            value.copy_(raw[index])
            if not isinstance(count, float) or count != 1:
                value.mul_(count)
            total.add_(value)
        total.div_(divisor)
        if not all_finite(total):
            for index, folder in enumerate(sources.folders):
                refuse_not_finite(raw[index], folder.folder, chunk)
        merged = self._rounded[: chunk.count * raw[0].itemsize].view(raw[0].dtype).copy_(total)
        self._copy.write(chunk.name, merged, chunk.start)
        now.copy_(raw[0])
        change = value.copy_(merged).sub_(now)
        return _Part(
            differing=int(torch.count_nonzero(change)),
            squares=float(change.dot(change)),
            shares=_shares(counts, divisor, chunk.count),
        )

    def _counts(
        self, chunk: Chunk, raw: Sequence[torch.Tensor], own: Sequence[torch.Tensor]
    ) -> list[float | torch.Tensor]:
        """Returns how much the chunk's weights of each model count: a number, or a tensor with one for each."""
        counts: list[float | torch.Tensor] = []
        for model, one in enumerate(self._importance):
            same, index = one.of_tensor(chunk.name), self._sources.curvatures[model]
            if same is not None or index is None:
                counts.append(one.factor if same is None else same)
            else:
                one.write(raw[index], own[model])
                counts.append(own[model])
        return counts


def _divided(counts: list[float | torch.Tensor], factors: Sequence[float], out: torch.Tensor) -> float | torch.Tensor:
    """Returns Σ cᵢ, and makes the counts the factors where it is 0. out: for a sum that differs between weights."""
    if all(isinstance(one, float) for one in counts):
        total = sum(one for one in counts if isinstance(one, float))
        if total == 0:
            counts[:] = list(factors)
            return sum(factors)
        return total
    out.zero_()
    for one in counts:
        out.add_(one)
    if float(out.min()) == 0:
        empty = out == 0
        out[empty] = sum(factors)
        for place, factor in enumerate(factors):
            one = counts[place]
            counts[place] = torch.where(empty, factor, one)
    return out


def _shares(counts: Sequence[float | torch.Tensor], divisor: float | torch.Tensor, number: int) -> list[float]:
    """Returns the sum of cᵢ / Σ cⱼ over the weights of a chunk, for each model."""
    if isinstance(divisor, float):
        return [float(one) / divisor * number for one in counts]
    inverse = divisor.reciprocal_()
    return [float(inverse.dot(one)) if isinstance(one, torch.Tensor) else float(inverse.sum()) * one for one in counts]


def _summary(chunks: Sequence[Chunk], parts: Sequence[_Part], models: int) -> WeightedMerge:
    module_of = {chunk.name: parameter_group(chunk.name).module for chunk in chunks}
    sums: dict[str, list[list[float]]] = defaultdict(list)
    numbers: dict[str, int] = defaultdict(int)
    for chunk, part in zip(chunks, parts, strict=True):
        sums[module_of[chunk.name]].append(part.shares)
        numbers[module_of[chunk.name]] += chunk.count
    every = [part.shares for part in parts]
    number = sum(numbers.values())

    def means(shares: Sequence[Sequence[float]], count: int) -> tuple[float, ...]:
        return tuple(math.fsum(one[model] for one in shares) / count for model in range(models)) if count else ()

    return WeightedMerge(
        coordinates=number,
        differing=sum(part.differing for part in parts),
        norm=math.sqrt(math.fsum(part.squares for part in parts)),
        shares=means(every, number),
        by_module={module: means(shares, numbers[module]) for module, shares in sums.items()},
    )
