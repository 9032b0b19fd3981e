"""The weight delta between two checkpoints of a method, and the parameters in which it may be undone or trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from harness.errors import StepFailed
from harness.weights.folder import WeightFolder
from harness.weights.parameter_groups import is_norm
from harness.weights.same_model import check_same_tensors, check_same_tokenizer, check_stored_once
from harness.weights.stream import Chunk, Stream

BEFORE = 1
"""The index of `before` in the streams of a delta."""


@dataclass(frozen=True, kw_only=True)
class WeightDelta:
    """δ = `after` − `before`, of which a part is undone or trained in `now`. names: the eligible parameters, sorted."""

    now: WeightFolder
    after: WeightFolder
    before: WeightFolder
    names: tuple[str, ...]
    _squares: dict[tuple[str, int, int], float] = field(default_factory=dict, repr=False)

    @property
    def is_last(self) -> bool:
        """Whether the delta is the last change, so that undoing it restores `before`."""
        return self.after is self.now

    @property
    def eligible(self) -> int:
        """The number of weights that may be selected."""
        return sum(self.now.place(name).count for name in self.names)

    def stream(self, names: Sequence[str], *more: WeightFolder) -> Stream:
        """Returns a stream over `after`, `before` and the folders `more`."""
        return Stream([self.after, self.before, *more], names)

    def note(self, chunk: Chunk, change: torch.Tensor) -> None:
        """Stores the squared norm of a chunk's delta, so that `norm` need not read the chunk again."""
        self._squares[chunk.name, chunk.start, chunk.count] = float(change.dot(change))

    def norm(self) -> float:
        """Returns the Euclidean norm of the delta over all parameters; reads the chunks that were not noted."""
        stream = self.stream(self.now.names())
        for chunk in stream.chunks:
            if (chunk.name, chunk.start, chunk.count) not in self._squares:
                after, before = stream.read(chunk)
                self.note(chunk, after - before)
        return math.sqrt(math.fsum(self._squares[chunk.name, chunk.start, chunk.count] for chunk in stream.chunks))


def delta_since_peak(now: Path, peak: Path, exclude: Sequence[str]) -> WeightDelta:
    """Returns the delta from the target's peak to `now`. Raises CheckpointError if the two are different models."""
    damaged, before = WeightFolder(now), WeightFolder(peak)
    _check(damaged, before)
    check_same_tensors(damaged, before, dtypes=True)
    return WeightDelta(now=damaged, after=damaged, before=before, names=eligible_names(damaged, exclude))


def delta_between(now: Path, after: Path, before: Path, exclude: Sequence[str]) -> WeightDelta:
    """Returns the delta from `before` to `after`, two earlier checkpoints of `now`'s method.

    Raises CheckpointError if the three are different models.
    """
    folders = WeightFolder(now), WeightFolder(after), WeightFolder(before)
    for other in folders[1:]:
        _check(folders[0], other)
    return WeightDelta(now=folders[0], after=folders[1], before=folders[2], names=eligible_names(folders[0], exclude))


def _check(now: WeightFolder, other: WeightFolder) -> None:
    check_stored_once(now)
    check_stored_once(other, read_only=True)
    check_same_tensors(now, other)
    check_same_tokenizer(now, other)


def eligible_names(folder: WeightFolder, exclude: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the parameters whose weights may be selected. Raises StepFailed if `exclude` leaves none."""
    names = tuple(
        name
        for name in folder.names()
        if not any(part in name or (part == "norm" and is_norm(name)) for part in exclude)
        and folder.dtype(name).is_floating_point
    )
    if not names:
        raise StepFailed(
            "exclude leaves no parameter to select from",
            where=str(folder.folder),
            hint=f"each parameter has one of {', '.join(exclude)} in its name",
        )
    return names
