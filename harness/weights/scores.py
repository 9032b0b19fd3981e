"""Scores of coordinates, streamed: a formula over the values of several checkpoints, the same bits in every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from harness.errors import CheckpointError
from harness.weights.stream import Chunk, Stream

Formula = Callable[[Sequence[torch.Tensor], torch.Tensor], object]
"""Writes the scores of a chunk into its second argument, from the checkpoints' values in fp32, which it leaves as they
are. Coordinate by coordinate: how the tensors are cut into chunks changes no score."""


class Scores:
    """The scores of all coordinates of a stream, in fp32, the higher the more wanted.

    formula: makes one formula a pass, so that one that draws at random draws the same again. Raises CheckpointError for
    a score that is not finite, naming the checkpoint with a value that is not.
    """

    def __init__(self, stream: Stream, formula: Callable[[], Formula]) -> None:
        self.stream = stream
        self._formula = formula
        longest = max((chunk.count for chunk in stream.chunks), default=0)
        self._scores = torch.empty(longest, dtype=torch.float32)

    @property
    def count(self) -> int:
        """How many scores there are."""
        return self.stream.coordinates

    def __iter__(self) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields each chunk with its scores, which hold until the next."""
        return self.of(self.stream.chunks)

    def of(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, torch.Tensor]]:
        """Yields the scores of chosen chunks; of a random score, others from the same distribution."""
        formula = self._formula()
        for chunk in chunks:
            values = self.stream.read(chunk)
            scores = self._scores[: chunk.count]
            formula(values, scores)
            if not torch.isfinite(scores.sum()) and not torch.isfinite(scores).all():
                self._refuse(chunk, values, scores)
            yield chunk, scores

    def _refuse(self, chunk: Chunk, values: Sequence[torch.Tensor], scores: torch.Tensor) -> None:
        for folder, read in zip(self.stream.folders, values, strict=True):
            refuse_not_finite(read, folder.folder, chunk)
        place = chunk.start + int((~torch.isfinite(scores)).nonzero()[0])
        raise CheckpointError(
            f"the score of {chunk.name}[{place}] is {float(scores[place - chunk.start])}",
            where=str(self.stream.folders[0].folder),
            hint="its values are too large for fp32",
        )


def refuse_not_finite(values: torch.Tensor, folder: object, chunk: Chunk) -> None:
    """Raises CheckpointError where a value is NaN or infinite, naming the first."""
    if torch.isfinite(values.sum()) or torch.isfinite(values).all():
        return
    place = int((~torch.isfinite(values)).nonzero()[0])
    raise CheckpointError(
        f"{chunk.name} holds {float(values[place])} at coordinate {chunk.start + place}",
        where=str(folder),
        hint="the training that wrote it diverged; nothing can be computed from such weights",
    )
