"""The coordinates with the highest scores of a whole model, exactly so many, without holding the scores.

One pass: bounds of the wanted score are guessed from a sample; a coordinate above both is taken, one between them is
kept with its score, one below is not. What was kept decides which of them are taken. Where the guess was wrong, two
passes more find the score itself. Equal scores go by the global index, the first first. The result does not depend on
the guess.

In memory: chunk buffers, and at most 2^24 kept scores. A bit a coordinate and the kept scores lie in unnamed temporary
files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.bounds import WHOLE, guessed_bounds
from harness.weights.histogram import Passes, Threshold, threshold_of_count, threshold_of_share
from harness.weights.scores import Scores
from harness.weights.stream import Chunk

_Bits = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]

_HELD = 1 << 24
"""Kept scores that are ranked in memory; more of them are ranked on disk."""

_WIDE = 0.05
"""Where more than this share lies between the bounds, many scores are equal, and the wanted one is counted out."""


class Selection:
    """Which coordinates of a stream were taken: `count` of them, one bit each in an unnamed temporary file."""

    def __init__(self, chunks: Sequence[Chunk], count: int, bits: _BitFile) -> None:
        self.count = count
        self._places = {(chunk.name, chunk.start): index for index, chunk in enumerate(chunks)}
        self._bits = bits

    def mask(self, chunk: Chunk) -> torch.Tensor:
        """Returns a boolean for each coordinate of a chunk of the stream, or of the same chunk of a longer one."""
        bits = self._bits.read(self._places[chunk.name, chunk.start])
        return torch.from_numpy(np.unpackbits(bits, count=chunk.count).view(np.bool_))


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
    taken, kept = _BitFile(chunks, folder), _BitFile(chunks, folder)
    longest = max(chunk.count for chunk in chunks)
    above, within = np.empty(longest, dtype=np.bool_), np.empty(longest, dtype=np.bool_)
    sure, numbers = 0, []
    with tempfile.TemporaryFile(dir=folder) as file:
        for index, (chunk, values) in enumerate(scores):
            array = values.numpy()
            over = np.greater(array, np.float32(high), out=above[: chunk.count])
            inside = np.greater_equal(array, np.float32(low), out=within[: chunk.count])
            inside ^= over
            number = int(np.count_nonzero(inside))
            sure += int(np.count_nonzero(over))
            numbers.append(number)
            taken.write(index, np.packbits(over))
            if number:
                kept.write(index, np.packbits(inside))
                if low != high:
                    file.write(array[inside].tobytes())
        wanted = count - sure
        if not 0 <= wanted <= sum(numbers):
            return None
        if wanted:
            ranked = _Kept(file, numbers, low if low == high else None)
            for index, places in ranked.taken(wanted, kept):
                bits = taken.read(index).copy()
                np.bitwise_or.at(bits, places >> 3, (128 >> (places & 7)).astype(np.uint8))
                taken.write(index, bits)
    return Selection(chunks, count, taken)


class _Kept:
    """Coordinates between the bounds: how many in each chunk, and their scores in a file, or the one they all have."""

    def __init__(self, file: IO[bytes], numbers: Sequence[int], one: float | None) -> None:
        self._file = file
        self._numbers = numbers
        self._one = one

    def taken(self, wanted: int, kept: _BitFile) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """Yields, for each chunk that has some, its index and the places in it of those among the `wanted` highest."""
        threshold, equal = self._threshold(wanted)
        for index, scores in self._by_chunk():
            places = _places(kept.read(index))
            chosen = scores > threshold
            ties = np.flatnonzero(scores == threshold)[:equal]
            chosen[ties] = True
            equal -= len(ties)
            if chosen.any():
                yield index, places[chosen]

    def _by_chunk(self) -> Iterator[tuple[int, _Floats]]:
        self._file.seek(0)
        for index, number in enumerate(self._numbers):
            if number and self._one is not None:
                yield index, np.full(number, self._one, dtype=np.float32)
            elif number:
                yield index, np.frombuffer(self._file.read(4 * number), dtype=np.float32)

    def _threshold(self, wanted: int) -> tuple[np.float32, int]:
        """Returns the lowest score taken, and how many of those equal to it are."""
        total = sum(self._numbers)
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
        self._file.seek(self._starts[index])
        return np.frombuffer(self._file.read(self._starts[index + 1] - self._starts[index]), dtype=np.uint8)

    def write(self, index: int, bits: _Bits) -> None:
        """Sets the bits of a chunk."""
        self._file.seek(self._starts[index])
        self._file.write(bits.tobytes())


def _places(bits: _Bits) -> npt.NDArray[np.int64]:
    """Returns where the set bits are, in order, looking only at bytes that have one."""
    places = np.flatnonzero(bits)
    inside = np.flatnonzero(np.unpackbits(bits[places]))
    whole: npt.NDArray[np.int64] = places[inside >> 3] * 8 + (inside & 7)
    return whole
