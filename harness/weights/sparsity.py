"""Sparse task vectors: which coordinates of an edit θᵢ − θ₀ stay, chosen tensor by tensor without holding one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import torch

from harness.weights.histogram import threshold_of_count
from harness.weights.stream import Chunk, Stream


class Sparsity(ABC):
    """Which share of each tensor's edit stays. density: above 0, at most 1."""

    def __init__(self, density: float) -> None:
        self.density = density

    @abstractmethod
    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        """Returns what makes sparse, chunk by chunk in order, the edit from the stream's first folder to the folder
        `index` of the tensor that `chunks` make up; may read the tensor first."""


class TensorSparsity(ABC):
    """Of one tensor of one expert."""

    @abstractmethod
    def apply(self, edit: torch.Tensor) -> None:
        """Sets to 0 what does not stay in the next chunk's edit, in place, and rescales what does where that is due."""


class LargestMagnitudes(Sparsity):
    """The max(1, ⌊density·n⌋) coordinates of a tensor that moved the most: TIES' trim (arXiv 2306.01708, section 4).

    The number is mergekit's (0.1.5), which trims each tensor, where the paper trims the whole vector. Of equal
    magnitudes those with the lower flat index stay. Reads the tensor twice.
    """

    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        count = sum(chunk.count for chunk in chunks)
        if self.density >= 1:
            return _Everything()
        kept = max(1, int(self.density * count))
        magnitudes = _Magnitudes(stream, index, chunks)
        threshold = threshold_of_count(lambda: magnitudes, kept).value
        above = sum(int((values > threshold).sum()) for values in magnitudes)
        return _Trimmed(threshold, kept - above)


class RandomDrop(Sparsity):
    """Each coordinate stays with probability density and is then divided by it: DARE (arXiv 2311.03099, section 3).

    rescale: `density` is the paper's; `l1` keeps the tensor's sum of |edit|, as mergekit (0.1.5) does, and reads the
    tensor once more. seed: of the draws, beside the expert's place and the tensor's name.
    """

    def __init__(self, density: float, *, seed: int, rescale: str = "density") -> None:
        super().__init__(density)
        self._seed = seed
        self._rescale = rescale

    def start(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> TensorSparsity:
        if self.density >= 1:
            return _Everything()
        factor = 1 / self.density
        if self._rescale == "l1":
            factor = self._keeping_l1(_Magnitudes(stream, index, chunks), self._generator(index, chunks))
        return _Dropped(self.density, factor, self._generator(index, chunks))

    def _generator(self, index: int, chunks: Sequence[Chunk]) -> torch.Generator:
        name = f"{self._seed}/drop/{index}/{chunks[0].name}"
        return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]))

    def _keeping_l1(self, magnitudes: Iterable[torch.Tensor], generator: torch.Generator) -> float:
        before, after = 0.0, 0.0
        drop = _Dropped(self.density, 1.0, generator)
        for values in magnitudes:
            before += float(values.sum(dtype=torch.float64))
            drop.apply(values)
            after += float(values.sum(dtype=torch.float64))
        return before / after if min(before, after) >= _SMALLEST_NORM else 1.0


_SMALLEST_NORM = 1e-7
"""Below it mergekit leaves a tensor as it is."""


class _Magnitudes:
    """Passes over |θᵢ − θ₀| of one tensor."""

    def __init__(self, stream: Stream, index: int, chunks: Sequence[Chunk]) -> None:
        self._stream = stream
        self._index = index
        self._chunks = chunks

    def __iter__(self) -> Iterator[torch.Tensor]:
        for chunk in self._chunks:
            yield self._stream.values(self._index, chunk).sub(self._stream.values(0, chunk)).abs_()


class _Everything(TensorSparsity):
    def apply(self, edit: torch.Tensor) -> None:
        """Changes nothing."""


class _Trimmed(TensorSparsity):
    """Keeps what is above a magnitude, and the first few that are equal to it."""

    def __init__(self, threshold: float, equal: int) -> None:
        self._threshold = threshold
        self._equal = equal

    def apply(self, edit: torch.Tensor) -> None:
        magnitudes = edit.abs()
        kept = magnitudes > self._threshold
        if self._equal:
            ties = (magnitudes == self._threshold).nonzero().flatten()[: self._equal]
            kept[ties] = True
            self._equal -= len(ties)
        edit.mul_(kept)


class _Dropped(TensorSparsity):
    def __init__(self, density: float, factor: float, generator: torch.Generator) -> None:
        self._density = density
        self._factor = factor
        self._generator = generator

    def apply(self, edit: torch.Tensor) -> None:
        edit.mul_(torch.rand(edit.numel(), generator=self._generator) < self._density).mul_(self._factor)
