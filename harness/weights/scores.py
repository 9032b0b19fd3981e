"""Scores of weights, streamed: a formula over the values of several checkpoints. Every pass gives the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from harness.errors import CheckpointError
from harness.weights.stream import Chunk, Stream
from harness.weights.threads import over_chunks

T = TypeVar("T")

Formula = Callable[[Chunk, Sequence[torch.Tensor], torch.Tensor], object]
"""Called with a chunk, the checkpoints' values in fp32, which it must not change, and a tensor that it writes the
scores to. A score must depend on the values of its weight alone, and not on the size of the chunks."""


class Scores:
    """The scores of all weights of a stream, in fp32. Selections prefer higher scores.

    formula: returns the formula for one pass of one thread. in_order: whether the formula must see the chunks in order,
    as one that draws random numbers must; a pass then uses one thread. Reading raises CheckpointError for a score that
    is not finite, and names the checkpoint whose value is not.
    """

    def __init__(self, stream: Stream, formula: Callable[[], Formula], *, in_order: bool = False) -> None:
        self.stream = stream
        self._formula = formula
        self._in_order = in_order

    @property
    def count(self) -> int:
        """How many scores there are."""
        return self.stream.count

    def __iter__(self) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields each chunk with its scores, [chunk.count]; the next chunk overwrites them."""
        return self.of(self.stream.chunks)

    def of(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields some chunks with their scores. A random score gives other values of the same distribution."""
        scored = self._scored(self.stream)
        for chunk in chunks:
            yield chunk, scored(chunk)

    def each(self, start: Callable[[Stream], Callable[[Chunk, torch.Tensor], T]]) -> list[T]:
        """Returns a result for each chunk, in the order of the chunks, computed by several threads.

        start: called once by each thread with its own stream; returns the function that is called with each chunk and
        its scores. The scores, and the values that the stream read for them, are valid until that function returns.
        """

        def begin(stream: Stream) -> Callable[[Chunk], T]:
            scored, use = self._scored(stream), start(stream)
            return lambda chunk: use(chunk, scored(chunk))

        return over_chunks(self.stream, begin, threads=1 if self._in_order else None)

    def _scored(self, stream: Stream) -> Callable[[Chunk], torch.Tensor]:
        """Returns a function that reads and scores a chunk, with a separate buffer."""
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
    """Returns whether no value is NaN or infinite. Tests the sum first, which is faster; only where the sum is not
    finite, which large values may cause too, is each value tested."""
    return bool(torch.isfinite(values.sum()) or torch.isfinite(values).all())


def refuse_not_finite(values: torch.Tensor, folder: object, chunk: Chunk) -> None:
    """Raises CheckpointError if a value is NaN or infinite, naming the first."""
    if all_finite(values):
        return
    place = int((~torch.isfinite(values)).nonzero()[0])
    raise CheckpointError(
        f"{chunk.name} holds {float(values[place])} at index {chunk.start + place}",
        where=str(folder),
        hint="the training that wrote it diverged; nothing can be computed from such weights",
    )
