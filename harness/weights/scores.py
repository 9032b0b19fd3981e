"""Scores of coordinates, streamed: a formula over the values of several checkpoints, the same bits in every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from harness.errors import CheckpointError
from harness.weights.stream import Chunk, Stream
from harness.weights.threads import over_chunks

T = TypeVar("T")

Formula = Callable[[Chunk, Sequence[torch.Tensor], torch.Tensor], object]
"""Writes the scores of a chunk into its last argument, from the checkpoints' values in fp32, which it leaves as they
are. Coordinate by coordinate: how the tensors are cut into chunks changes no score."""


class Scores:
    """The scores of all coordinates of a stream, in fp32, the higher the more wanted.

    formula: makes the formula of one pass of one thread. in_order: it must see the chunks in their order, as one that
    draws at random does; a pass is then made by one thread. Raises CheckpointError for a score that is not finite,
    naming the checkpoint with a value that is not.
    """

    def __init__(self, stream: Stream, formula: Callable[[], Formula], *, in_order: bool = False) -> None:
        self.stream = stream
        self._formula = formula
        self._in_order = in_order

    @property
    def count(self) -> int:
        """How many scores there are."""
        return self.stream.coordinates

    def __iter__(self) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields each chunk with its scores, which hold until the next."""
        return self.of(self.stream.chunks)

    def of(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields the scores of chosen chunks; of a random score, others from the same distribution."""
        scored = self._scored(self.stream)
        for chunk in chunks:
            yield chunk, scored(chunk)

    def each(self, start: Callable[[Stream], Callable[[Chunk, torch.Tensor], T]]) -> list[T]:
        """Returns what is made of each chunk and its scores, in the order of the chunks. start: makes what makes it,
        once for each of several threads, from the thread's stream; the scores, and what the stream read for them, hold
        until it returns."""

        def begin(stream: Stream) -> Callable[[Chunk], T]:
            scored, use = self._scored(stream), start(stream)
            return lambda chunk: use(chunk, scored(chunk))

        return over_chunks(self.stream, begin, threads=1 if self._in_order else None)

    def _scored(self, stream: Stream) -> Callable[[Chunk], torch.Tensor]:
        """Returns what reads and scores a chunk, into a buffer of its own."""
        formula = self._formula()
        buffer = torch.empty(max((chunk.count for chunk in stream.chunks), default=0), dtype=torch.float32)

        def scored(chunk: Chunk) -> torch.Tensor:
            values = stream.read(chunk)
            scores = buffer[: chunk.count]
            formula(chunk, values, scores)
            if not all_finite(scores):
                self._refuse(chunk, values, scores)
            return scores

        return scored

    def _refuse(self, chunk: Chunk, values: Sequence[torch.Tensor], scores: torch.Tensor) -> None:
        for folder, read in zip(self.stream.folders, values, strict=True):
            refuse_not_finite(read, folder.folder, chunk)
        place = chunk.start + int((~torch.isfinite(scores)).nonzero()[0])
        raise CheckpointError(
            f"the score of {chunk.name}[{place}] is {float(scores[place - chunk.start])}",
            where=str(self.stream.folders[0].folder),
            hint="its values are too large for fp32",
        )


def all_finite(values: torch.Tensor) -> bool:
    """Returns whether no value is NaN or infinite. Looks at each only where their sum, which is quicker, is not finite:
    it may be too large while they are not."""
    return bool(torch.isfinite(values.sum()) or torch.isfinite(values).all())


def refuse_not_finite(values: torch.Tensor, folder: object, chunk: Chunk) -> None:
    """Raises CheckpointError where a value is NaN or infinite, naming the first."""
    if all_finite(values):
        return
    place = int((~torch.isfinite(values)).nonzero()[0])
    raise CheckpointError(
        f"{chunk.name} holds {float(values[place])} at coordinate {chunk.start + place}",
        where=str(folder),
        hint="the training that wrote it diverged; nothing can be computed from such weights",
    )
