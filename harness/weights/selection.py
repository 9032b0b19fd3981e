"""The coordinates with the highest scores of a whole model, exactly so many, without holding the scores.

One pass: bounds of the wanted score are guessed from a sample; a coordinate above both is taken, one between them is
kept with its score, one below is not. What was kept decides which of them are taken. Where the guess was wrong, two
passes more find the score itself. Equal scores go by the global index, the first first. The result does not depend on
the guess.

In memory: chunk buffers for each thread, and at most 2^24 kept scores. What is taken and what is kept lies in unnamed
temporary files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.bounds import WHOLE, Bounds, guessed_bounds
from harness.weights.chunk_file import Array, ChunkFile
from harness.weights.histogram import Passes, Threshold, threshold_of_count, threshold_of_share
from harness.weights.scores import Scores
from harness.weights.stream import Chunk, Stream

_Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

_HELD = 1 << 24
"""Kept scores that are ranked in memory; more of them are ranked on disk."""

_FEW = 1 / 8
"""Up to this share of a chunk, taken coordinates are noted one by one; a bit for each takes less room above 1/32, but
is slower to read."""

_WIDE = 0.05
"""Where more than this share lies between the bounds, many scores are equal, and the wanted one is counted out."""


class Taken(NamedTuple):
    """Coordinates of one chunk, counted from its first, in no order. values: what the selection carries of them, their
    integers' bits, None where it does not."""

    places: Places
    values: Array | None


class Selection:
    """Which coordinates of a stream were taken, `count` of them; what it knows lies in unnamed temporary files."""

    def __init__(self, count: int, sure: _Sure, kept: _Kept) -> None:
        self.count = count
        self._sure = sure
        self._kept = kept

    def taken(self, chunk: Chunk) -> Taken:
        """Returns what was taken of a chunk of the stream, or of the same chunk of a longer one. Several threads may
        ask."""
        sure, kept = self._sure.taken(chunk), self._kept.taken(chunk)
        if not len(kept.places):
            return sure
        places = np.concatenate([sure.places, kept.places])
        if sure.values is None or kept.values is None:
            return Taken(places, None)
        return Taken(places, np.concatenate([sure.values, kept.values]))


def select_highest(scores: Scores, count: int, *, carried: int | None = None, folder: Path | None = None) -> Selection:
    """Returns the `count` coordinates with the highest scores.

    carried: the place in the stream of a folder whose values at the taken coordinates the selection keeps, where few of
    a chunk are taken, so that they need not be read again. folder: where the temporary files lie. Raises ValueError for
    a count that is not from 1 to the number of scores, CheckpointError for scores that are not finite.
    """
    if not 1 <= count <= scores.count:
        raise ValueError(f"{count} of {scores.count} coordinates cannot be taken")
    bounds = guessed_bounds(scores, count)
    if scores.count <= WHOLE or bounds.low == bounds.high or bounds.between <= _WIDE:
        selection = _between(scores, bounds, count, carried=carried, folder=folder)
        if selection is not None:
            return selection
    return _from(scores, threshold_of_count(_passes(scores), count), carried, folder)


def select_share(scores: Scores, share: float, *, carried: int | None = None, folder: Path | None = None) -> Selection:
    """Returns the fewest coordinates with the highest scores whose sum is at least `share` of the sum of all scores.

    carried, folder: as of `select_highest`. Raises ValueError where a score is negative or all are 0.
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
    """Returns the selection in one pass, None where the wanted score lies outside the bounds."""
    chunks = scores.stream.chunks
    sure, kept = _Sure(folder), _Kept(chunks, folder, bounds.low if bounds.low == bounds.high else None)

    def start(stream: Stream) -> Callable[[Chunk, torch.Tensor], int]:
        longest = max(chunk.count for chunk in chunks)
        above, within = np.empty(longest, dtype=np.bool_), np.empty(longest, dtype=np.bool_)

        def split(chunk: Chunk, values: torch.Tensor) -> int:
            """Writes down what is taken and what is kept; returns how many are taken."""
            array = values.numpy()
            over = np.greater(array, np.float32(bounds.high), out=above[: chunk.count])
            inside = np.greater_equal(array, np.float32(bounds.low), out=within[: chunk.count])
            inside ^= over
            bits = None if carried is None else stream.bits(carried, chunk)
            kept.write(chunk, inside, array, bits)
            return sure.write(chunk, over, bits)

        return split

    wanted = count - sum(scores.each(start))
    if not 0 <= wanted <= kept.total():
        return None
    kept.take(wanted)
    return Selection(count, sure, kept)


class _Sure:
    """Coordinates that are taken for sure: noted by their places where they are few, else by a bit for each of all."""

    def __init__(self, folder: Path | None) -> None:
        self._where = ChunkFile(folder)
        self._values = ChunkFile(folder)

    def write(self, chunk: Chunk, mask: npt.NDArray[np.bool_], bits: Array | None) -> int:
        """Sets those of a chunk; returns how many they are."""
        number = int(np.count_nonzero(mask))
        packed = np.packbits(mask)
        if number > chunk.count * _FEW:
            self._where.write(chunk, packed)
            return number
        places = _places(packed)
        self._where.write(chunk, places.astype(np.uint32))
        if bits is not None:
            self._values.write(chunk, bits[places])
        return number

    def taken(self, chunk: Chunk) -> Taken:
        where = self._where.read(chunk)
        if where.dtype == np.uint8:
            return Taken(_places(where), None)
        return Taken(where.astype(np.int64), self._values.read(chunk) if self._values.has(chunk) else None)


class _Kept:
    """Coordinates between the bounds, with their scores or the one that all have; then, which of them are taken."""

    def __init__(self, chunks: Sequence[Chunk], folder: Path | None, one: float | None) -> None:
        self._chunks = chunks
        self._one = one
        self._bits, self._scores, self._values = ChunkFile(folder), ChunkFile(folder), ChunkFile(folder)
        self._threshold = np.float32(math.inf)
        self._equal: dict[tuple[str, int], int] = {}

    def write(self, chunk: Chunk, mask: npt.NDArray[np.bool_], scores: _Floats, bits: Array | None) -> None:
        """Notes a chunk's coordinates between the bounds; `scores` and `bits` are of all of it."""
        packed = np.packbits(mask)
        places = _places(packed)
        if not len(places):
            return
        self._bits.write(chunk, packed)
        self._scores.write(chunk, scores[places] if self._one is None else np.full(len(places), self._one, np.float32))
        if bits is not None and len(places) <= chunk.count * _FEW:
            self._values.write(chunk, bits[places])

    def total(self) -> int:
        """Returns how many there are."""
        return sum(self._scores.length(chunk) for chunk in self._filled())

    def take(self, wanted: int) -> None:
        """Decides: the `wanted` highest are taken, of equal ones the first."""
        if not wanted:
            return
        self._threshold, left = self._threshold_of(wanted)
        for chunk in self._filled():
            equal = min(left, int(np.count_nonzero(self._scores.read(chunk) == self._threshold)))
            self._equal[chunk.name, chunk.start] = equal
            left -= equal

    def taken(self, chunk: Chunk) -> Taken:
        """Returns those of a chunk that are taken."""
        if not self._bits.has(chunk):
            return Taken(np.empty(0, dtype=np.int64), None)
        scores = self._scores.read(chunk)
        chosen = scores > self._threshold
        chosen[np.flatnonzero(scores == self._threshold)[: self._equal.get((chunk.name, chunk.start), 0)]] = True
        values = self._values.read(chunk)[chosen] if self._values.has(chunk) else None
        return Taken(_places(self._bits.read(chunk))[chosen], values)

    def _filled(self) -> Iterator[Chunk]:
        return (chunk for chunk in self._chunks if self._bits.has(chunk))

    def _threshold_of(self, wanted: int) -> tuple[np.float32, int]:
        """Returns the lowest score taken, and how many of those equal to it are."""
        total = self.total()
        if self._one is not None:
            return np.float32(self._one), wanted
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


def _places(bits: Array) -> Places:
    """Returns where the set bits are, in order, looking only at bytes that have one."""
    places = np.flatnonzero(bits != 0)  # of booleans, and so below: numpy counts those many times faster than numbers
    inside = np.flatnonzero(np.unpackbits(bits[places]).view(np.bool_))
    whole: Places = places[inside >> 3] * 8 + (inside & 7)
    return whole
