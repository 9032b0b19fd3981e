"""Selects exactly the `count` weights with the highest scores of a whole model, without holding all scores.

One pass: bounds of the lowest selected score are estimated from a sample. A weight whose score is above both bounds is
selected, one whose score lies between them is a candidate and is stored with its score, and one below is not selected.
The candidates with the highest scores complete the selection. Where the estimate was wrong, two more passes compute the
score exactly. Of equal scores the first by global index is selected. The result does not depend on the estimate.

Memory: chunk buffers for each thread, and at most 2^24 candidate scores. Indices and candidates are stored in unnamed
temporary files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.bounds import WHOLE, Bounds, estimate_bounds
from harness.weights.chunk_file import Array, ChunkFile
from harness.weights.histogram import Passes, Threshold, threshold_of_count, threshold_of_share
from harness.weights.scores import Scores
from harness.weights.stream import Chunk, Stream

_Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

_HELD = 1 << 24
"""Candidate scores that are ranked in memory; more of them are ranked on disk."""

_FEW = 1 / 8
"""Up to this share of a chunk, selected weights are stored by their indices. A bitmap takes less space above 1/32, but
is slower to read."""

_WIDE = 0.05
"""If more than this share of the scores is between the bounds, many are equal, and the score is computed exactly."""


class ChunkSelection(NamedTuple):
    """Selected weights of one chunk. indices: int64 [selected], from the chunk's first weight, in no order. values:
    unsigned integers [selected], the bits of the values that the selection carries, or None where it does not."""

    indices: Indices
    values: Array | None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selected weights of a stream.

    count: how many. in_chunk: returns those of a chunk of the stream, or of the same chunk of a longer stream; several
    threads may call it. units: how many neurons or modules were selected as a whole, by kind.
    """

    count: int
    in_chunk: Callable[[Chunk], ChunkSelection]
    units: Mapping[str, int] = field(default_factory=dict)


def select_highest(scores: Scores, count: int, *, carried: int | None = None, folder: Path | None = None) -> Selection:
    """Returns the `count` weights with the highest scores.

    carried: the index of a folder in the stream. Where few weights of a chunk are selected, the selection stores their
    values in that folder, so that they need not be read again. folder: for temporary files. Raises ValueError if
    count is not between 1 and the number of scores, and CheckpointError for scores that are not finite.
    """
    if not 1 <= count <= scores.count:
        raise ValueError(f"cannot select {count} of {scores.count} weights")
    bounds = estimate_bounds(scores, count)
    if scores.count <= WHOLE or bounds.low == bounds.high or bounds.between <= _WIDE:
        selection = _between(scores, bounds, count, carried=carried, folder=folder)
        if selection is not None:
            return selection
    return _from(scores, threshold_of_count(_passes(scores), count), carried, folder)


def select_share(scores: Scores, share: float, *, carried: int | None = None, folder: Path | None = None) -> Selection:
    """Returns the fewest weights with the highest scores whose scores add up to at least `share` of the sum of all.

    carried, folder: as for `select_highest`. Raises ValueError if a score is negative or all are 0.
    """
    return _from(scores, threshold_of_share(_passes(scores), share), carried, folder)


def _passes(scores: Scores) -> Passes:
    return lambda: (values for _, values in scores)


def _from(scores: Scores, threshold: Threshold, carried: int | None, folder: Path | None) -> Selection:
    exact = Bounds(low=threshold.value, high=threshold.value, between=0.0)
    selection = _between(scores, exact, threshold.count, carried=carried, folder=folder)
    assert selection is not None, "the scores changed between two passes"
    return selection


def _between(
    scores: Scores, bounds: Bounds, count: int, *, carried: int | None, folder: Path | None
) -> Selection | None:
    """Returns the selection after one pass, or None where the lowest selected score is outside the bounds."""
    chunks = scores.stream.chunks
    certain = _Certain(folder)
    candidates = _Candidates(chunks, folder, bounds.low if bounds.low == bounds.high else None)

    def start(stream: Stream) -> Callable[[Chunk, torch.Tensor], int]:
        longest = max(chunk.count for chunk in chunks)
        above, within = np.empty(longest, dtype=np.bool_), np.empty(longest, dtype=np.bool_)

        def split(chunk: Chunk, values: torch.Tensor) -> int:
            """Stores a chunk's certain weights and its candidates; returns the number of certain ones."""
            array = values.numpy()
            over = np.greater(array, np.float32(bounds.high), out=above[: chunk.count])
            inside = np.greater_equal(array, np.float32(bounds.low), out=within[: chunk.count])
            inside ^= over
            bits = None if carried is None else stream.bits(carried, chunk)
            candidates.write(chunk, inside, array, bits)
            return certain.write(chunk, over, bits)

        return split

    wanted = count - sum(scores.each(start))
    if not 0 <= wanted <= candidates.total():
        return None
    candidates.select(wanted)
    return Selection(count=count, in_chunk=lambda chunk: _joined(certain.selected(chunk), candidates.selected(chunk)))


def _joined(first: ChunkSelection, second: ChunkSelection) -> ChunkSelection:
    if not len(second.indices):
        return first
    indices = np.concatenate([first.indices, second.indices])
    if first.values is None or second.values is None:
        return ChunkSelection(indices, None)
    return ChunkSelection(indices, np.concatenate([first.values, second.values]))


class _Certain:
    """Weights above both bounds: stored by their indices where they are few, else as a bitmap."""

    def __init__(self, folder: Path | None) -> None:
        self._where = ChunkFile(folder)
        self._values = ChunkFile(folder)

    def write(self, chunk: Chunk, mask: npt.NDArray[np.bool_], bits: Array | None) -> int:
        """Stores those of a chunk; returns how many they are."""
        number = int(np.count_nonzero(mask))
        packed = np.packbits(mask)
        if number > chunk.count * _FEW:
            self._where.write(chunk, packed)
            return number
        indices = _indices(packed)
        self._where.write(chunk, indices.astype(np.uint32))
        if bits is not None:
            self._values.write(chunk, bits[indices])
        return number

    def selected(self, chunk: Chunk) -> ChunkSelection:
        where = self._where.read(chunk)
        if where.dtype == np.uint8:
            return ChunkSelection(_indices(where), None)
        return ChunkSelection(where.astype(np.int64), self._values.read(chunk) if self._values.has(chunk) else None)


class _Candidates:
    """Weights between the bounds with their scores, or with the score that all share; then, which are selected."""

    def __init__(self, chunks: Sequence[Chunk], folder: Path | None, shared: float | None) -> None:
        self._chunks = chunks
        self._shared = shared
        self._bits, self._scores, self._values = ChunkFile(folder), ChunkFile(folder), ChunkFile(folder)
        self._threshold = np.float32(math.inf)
        self._equal: dict[tuple[str, int], int] = {}

    def write(self, chunk: Chunk, mask: npt.NDArray[np.bool_], scores: _Floats, bits: Array | None) -> None:
        """Stores the candidates of a chunk; `scores` and `bits` cover all of it."""
        packed = np.packbits(mask)
        indices = _indices(packed)
        if not len(indices):
            return
        self._bits.write(chunk, packed)
        own = scores[indices] if self._shared is None else np.full(len(indices), self._shared, np.float32)
        self._scores.write(chunk, own)
        if bits is not None and len(indices) <= chunk.count * _FEW:
            self._values.write(chunk, bits[indices])

    def total(self) -> int:
        """Returns how many there are."""
        return sum(self._scores.length(chunk) for chunk in self._filled())

    def select(self, wanted: int) -> None:
        """Selects the `wanted` highest, of equal ones the first."""
        if not wanted:
            return
        self._threshold, left = self._threshold_of(wanted)
        for chunk in self._filled():
            equal = min(left, int(np.count_nonzero(self._scores.read(chunk) == self._threshold)))
            self._equal[chunk.name, chunk.start] = equal
            left -= equal

    def selected(self, chunk: Chunk) -> ChunkSelection:
        """Returns the selected candidates of a chunk."""
        if not self._bits.has(chunk):
            return ChunkSelection(np.empty(0, dtype=np.int64), None)
        scores = self._scores.read(chunk)
        chosen = scores > self._threshold
        chosen[np.flatnonzero(scores == self._threshold)[: self._equal.get((chunk.name, chunk.start), 0)]] = True
        values = self._values.read(chunk)[chosen] if self._values.has(chunk) else None
        return ChunkSelection(_indices(self._bits.read(chunk))[chosen], values)

    def _filled(self) -> Iterator[Chunk]:
        return (chunk for chunk in self._chunks if self._bits.has(chunk))

    def _threshold_of(self, wanted: int) -> tuple[np.float32, int]:
        """Returns the lowest selected score, and how many weights with that score are selected."""
        total = self.total()
        if self._shared is not None:
            return np.float32(self._shared), wanted
        if total <= _HELD:
            scores = np.concatenate([self._scores.read(chunk) for chunk in self._filled()])
            scores.partition(total - wanted)
            threshold: np.float32 = scores[total - wanted]
            return threshold, wanted - int(np.count_nonzero(scores > threshold))
        found = threshold_of_count(
            lambda: (torch.from_numpy(self._scores.read(chunk)) for chunk in self._filled()), wanted
        )
        threshold = np.float32(found.value)
        above = sum(int(np.count_nonzero(self._scores.read(chunk) > threshold)) for chunk in self._filled())
        return threshold, wanted - above


def _indices(bits: Array) -> Indices:
    """Returns the indices of the set bits, in order; reads only bytes that have one."""
    places = np.flatnonzero(bits != 0)  # of booleans, and so below: numpy counts those many times faster than numbers
    inside = np.flatnonzero(np.unpackbits(bits[places]).view(np.bool_))
    whole: Indices = places[inside >> 3] * 8 + (inside & 7)
    return whole
