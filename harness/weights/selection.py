"""The coordinates with the highest scores of a whole model, exactly so many, without holding the scores.

One pass: bounds of the wanted score are guessed from a sample; a coordinate above both is taken, one between them is
kept with its score, one below is not. What was kept decides which of them are taken. Where the guess was wrong, two
passes more find the score itself. Equal scores go by the global index, the first first. The result does not depend on
the guess.

In memory: chunk buffers for each thread, and at most 2^24 kept scores. A bit a coordinate and the kept scores lie in
unnamed temporary files.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.bounds import WHOLE, guessed_bounds
from harness.weights.folder import write_from
from harness.weights.histogram import Passes, Threshold, threshold_of_count, threshold_of_share
from harness.weights.scores import Scores
from harness.weights.stream import Chunk

_Bits = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

_HELD = 1 << 24
"""Kept scores that are ranked in memory; more of them are ranked on disk."""

_WIDE = 0.05
"""Where more than this share lies between the bounds, many scores are equal, and the wanted one is counted out."""


class Selection:
    """Which coordinates of a stream were taken, `count` of them; what it knows lies in unnamed temporary files."""

    def __init__(self, chunks: Sequence[Chunk], count: int, sure: _BitFile, kept: _Kept) -> None:
        self.count = count
        self._indices = _indices(chunks)
        self._sure = sure
        self._kept = kept

    def places(self, chunk: Chunk) -> Places:
        """Returns which coordinates of a chunk of the stream, or of the same chunk of a longer one, were taken, counted
        from its first, in no order. Several threads may ask."""
        index = self._indices[chunk.name, chunk.start]
        return np.concatenate([_places(self._sure.read(index)), self._kept.taken(index)])


def select_highest(scores: Scores, count: int, *, folder: Path | None = None) -> Selection:
    """Returns the `count` coordinates with the highest scores. folder: where the temporary files lie.

    Raises ValueError for a count that is not from 1 to the number of scores, CheckpointError for scores that are not
    finite.
    """
    if not 1 <= count <= scores.count:
        raise ValueError(f"{count} of {scores.count} coordinates cannot be taken")
    bounds = guessed_bounds(scores, count)
    if scores.count <= WHOLE or bounds.low == bounds.high or bounds.between <= _WIDE:
        selection = _between(scores, bounds.low, bounds.high, count, folder)
        if selection is not None:
            return selection
    return _from(scores, threshold_of_count(_passes(scores), count), folder)


def select_share(scores: Scores, share: float, *, folder: Path | None = None) -> Selection:
    """Returns the fewest coordinates with the highest scores whose sum is at least `share` of the sum of all scores.

    Raises ValueError where a score is negative or all are 0.
    """
    return _from(scores, threshold_of_share(_passes(scores), share), folder)


def _passes(scores: Scores) -> Passes:
    return lambda: (values for _, values in scores)


def _from(scores: Scores, threshold: Threshold, folder: Path | None) -> Selection:
    selection = _between(scores, threshold.value, threshold.value, threshold.count, folder)
    assert selection is not None, "the scores changed between two passes"
    return selection


def _between(scores: Scores, low: float, high: float, count: int, folder: Path | None) -> Selection | None:
    """Returns the selection in one pass, None where the wanted score lies outside the bounds."""
    chunks = scores.stream.chunks
    sure, indices = _BitFile(chunks, folder), _indices(chunks)
    kept = _Kept(chunks, folder, low if low == high else None)

    def start() -> Callable[[Chunk, torch.Tensor], int]:
        longest = max(chunk.count for chunk in chunks)
        above, within = np.empty(longest, dtype=np.bool_), np.empty(longest, dtype=np.bool_)

        def split(chunk: Chunk, values: torch.Tensor) -> int:
            """Writes down what is taken and what is kept; returns how many are taken."""
            array, index = values.numpy(), indices[chunk.name, chunk.start]
            over = np.greater(array, np.float32(high), out=above[: chunk.count])
            inside = np.greater_equal(array, np.float32(low), out=within[: chunk.count])
            inside ^= over
            sure.write(index, np.packbits(over))
            kept.write(index, np.packbits(inside), array)
            return int(np.count_nonzero(over))

        return split

    wanted = count - sum(scores.each(start))
    if not 0 <= wanted <= kept.total():
        return None
    kept.take(wanted)
    return Selection(chunks, count, sure, kept)


class _Kept:
    """Coordinates between the bounds, with their scores or the one that all have; then, which of them are taken."""

    def __init__(self, chunks: Sequence[Chunk], folder: Path | None, one: float | None) -> None:
        self._chunks = chunks
        self._one = one
        self._bits = _BitFile(chunks, folder)
        self._numbers = [0] * len(chunks)
        self._scores = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this does
        self._threshold = np.float32(math.inf)
        self._equal = [0] * len(chunks)

    def write(self, index: int, bits: _Bits, scores: _Floats) -> None:
        """Notes a chunk's coordinates between the bounds; `scores` are of all of it."""
        places = _places(bits)
        if not len(places):
            return
        self._numbers[index] = len(places)
        self._bits.write(index, bits)
        if self._one is None:  # at the chunk's own place in a file with holes, so that no thread waits for another
            write_from(self._scores.fileno(), scores[places].data, 4 * self._chunks[index].offset)

    def total(self) -> int:
        """Returns how many there are."""
        return sum(self._numbers)

    def take(self, wanted: int) -> None:
        """Decides: the `wanted` highest are taken, of equal ones the first."""
        if not wanted:
            return
        self._threshold, left = self._threshold_of(wanted)
        for index, scores in self._by_chunk():
            equal = int(np.count_nonzero(scores == self._threshold))
            self._equal[index] = min(equal, left)
            left -= self._equal[index]

    def taken(self, index: int) -> Places:
        """Returns the places of those of a chunk that are taken."""
        if not self._numbers[index]:
            return np.empty(0, dtype=np.int64)
        places, scores = _places(self._bits.read(index)), self._of(index)
        chosen = scores > self._threshold
        chosen[np.flatnonzero(scores == self._threshold)[: self._equal[index]]] = True
        return places[chosen]

    def _of(self, index: int) -> _Floats:
        if self._one is not None:
            return np.full(self._numbers[index], self._one, dtype=np.float32)
        data = os.pread(self._scores.fileno(), 4 * self._numbers[index], 4 * self._chunks[index].offset)
        return np.frombuffer(data, dtype=np.float32)

    def _by_chunk(self) -> Iterator[tuple[int, _Floats]]:
        for index, number in enumerate(self._numbers):
            if number:
                yield index, self._of(index)

    def _threshold_of(self, wanted: int) -> tuple[np.float32, int]:
        """Returns the lowest score taken, and how many of those equal to it are."""
        total = self.total()
        if self._one is not None:
            return np.float32(self._one), wanted
        if total <= _HELD:
            scores = np.concatenate([scores for _, scores in self._by_chunk()])
            scores.partition(total - wanted)
            threshold: np.float32 = scores[total - wanted]
            return threshold, wanted - int(np.count_nonzero(scores > threshold))
        found = threshold_of_count(lambda: (torch.from_numpy(scores.copy()) for _, scores in self._by_chunk()), wanted)
        threshold = np.float32(found.value)
        return threshold, wanted - sum(int(np.count_nonzero(scores > threshold)) for _, scores in self._by_chunk())


class _BitFile:
    """A bit for each coordinate, chunk by chunk, each chunk on whole bytes, in an unnamed file; 0 until written."""

    def __init__(self, chunks: Sequence[Chunk], folder: Path | None) -> None:
        sizes = [(chunk.count + 7) // 8 for chunk in chunks]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this does
        self._file.truncate(self._starts[-1])

    def read(self, index: int) -> _Bits:
        """Returns the bits of a chunk."""
        size = self._starts[index + 1] - self._starts[index]
        return np.frombuffer(os.pread(self._file.fileno(), size, self._starts[index]), dtype=np.uint8)

    def write(self, index: int, bits: _Bits) -> None:
        """Sets the bits of a chunk. Chunks may be written by several threads."""
        write_from(self._file.fileno(), bits.data, self._starts[index])


def _indices(chunks: Sequence[Chunk]) -> dict[tuple[str, int], int]:
    return {(chunk.name, chunk.start): index for index, chunk in enumerate(chunks)}


def _places(bits: _Bits) -> Places:
    """Returns where the set bits are, in order, looking only at bytes that have one."""
    places = np.flatnonzero(bits != 0)  # of booleans, and so below: numpy counts those many times faster than numbers
    inside = np.flatnonzero(np.unpackbits(bits[places]).view(np.bool_))
    whole: Places = places[inside >> 3] * 8 + (inside & 7)
    return whole
