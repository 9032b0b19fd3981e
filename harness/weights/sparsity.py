"""Sparse task vectors: keeps some weights of a delta θᵢ − θ₀ and sets the others to 0, tensor by tensor, in chunks."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import torch

from harness.weights.histogram import threshold_of_count
from harness.weights.stream import Chunk, Stream


class Sparsity(ABC):
    """Keeps a share of each tensor's delta. density: the share, above 0 and at most 1."""

    def __init__(self, density: float) -> None:
        self.density = density

    @abstractmethod
    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        """Returns the sparsity of one tensor's delta from the stream's first folder to the folder `index`.

        chunks: all chunks of the tensor, in order. The tensor may be read before the first of them is passed on.
        """


class TensorSparsity(ABC):
    """The sparsity of one tensor of one expert; sees the tensor's chunks in order."""

    @abstractmethod
    def apply(self, delta: torch.Tensor) -> None:
        """Sets weights of the next chunk's delta to 0 in place, and rescales the others if the method does."""


class LargestMagnitudes(Sparsity):
    """Keeps the max(1, ⌊density·n⌋) weights of a tensor that changed most: TIES' trim (arXiv 2306.01708, section 4).

    The paper trims the whole vector. This trims each tensor, as mergekit 0.1.5 does, and keeps as many weights as it.
    Of equal magnitudes the lower flat index is kept. Reads the tensor twice.
    """

    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        count = sum(chunk.count for chunk in chunks)
        if self.density >= 1:
            return _All()
        count_kept = max(1, int(self.density * count))
        magnitudes = _Magnitudes(stream, index, chunks)
        threshold = threshold_of_count(lambda: magnitudes, count_kept).value
        above = sum(int((values > threshold).sum()) for values in magnitudes)
        return _Trimmed(threshold, count_kept - above)


class RandomDrop(Sparsity):
    """Keeps each weight with probability `density` and divides it by `density`: DARE (arXiv 2311.03099, section 3).

    rescale: `density` as in the paper. `l1` preserves the tensor's sum of |delta| instead, as mergekit 0.1.5 does, and
    reads the tensor once more. seed: of the random draws, with the expert's index and the tensor's name.
    """

    def __init__(self, density: float, *, seed: int, rescale: str = "density") -> None:
        super().__init__(density)
        self._seed = seed
        self._rescale = rescale

    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        if self.density >= 1:
            return _All()
        factor = 1 / self.density
        if self._rescale == "l1":
            factor = self._factor_for_l1(_Magnitudes(stream, index, chunks), self._generator(index, chunks))
        return _Dropped(self.density, factor, self._generator(index, chunks))

    def _generator(self, index: int, chunks: Sequence[Chunk]) -> torch.Generator:
        name = f"{self._seed}/drop/{index}/{chunks[0].name}"
        return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]))

    def _factor_for_l1(self, magnitudes: Iterable[torch.Tensor], generator: torch.Generator) -> float:
        before, after = 0.0, 0.0
        drop = _Dropped(self.density, 1.0, generator)
        for values in magnitudes:
            before += float(values.sum(dtype=torch.float64))
            drop.apply(values)
            after += float(values.sum(dtype=torch.float64))
        return before / after if min(before, after) >= _SMALLEST_NORM else 1.0


_SMALLEST_NORM = 1e-7
"""mergekit does not rescale a tensor whose norm is smaller."""


class _Magnitudes:
    """|θᵢ − θ₀| of one tensor, chunk by chunk, as often as it is iterated over."""

    def __init__(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> None:
        self._stream = stream
        self._index = index
        self._chunks = chunks

    def __iter__(self) -> Iterator[torch.Tensor]:
        for chunk in self._chunks:
            yield self._stream.values(self._index, chunk).sub(self._stream.values(0, chunk)).abs_()


class _All(TensorSparsity):
    def apply(self, delta: torch.Tensor) -> None:
        """Changes nothing."""


class _Trimmed(TensorSparsity):
    """Keeps weights above a magnitude, and the first few that are equal to it."""

    def __init__(self, threshold: float, equal: int) -> None:
        self._threshold = threshold
        self._equal = equal

    def apply(self, delta: torch.Tensor) -> None:
        magnitudes = delta.abs()
        kept = magnitudes > self._threshold
        if self._equal:
            ties = (magnitudes == self._threshold).nonzero().flatten()[: self._equal]
            kept[ties] = True
            self._equal -= len(ties)
        delta.mul_(kept)


class _Dropped(TensorSparsity):
    def __init__(self, density: float, factor: float, generator: torch.Generator) -> None:
        self._density = density
        self._factor = factor
        self._generator = generator

    def apply(self, delta: torch.Tensor) -> None:
        delta.mul_(torch.rand(delta.numel(), generator=self._generator) < self._density).mul_(self._factor)
