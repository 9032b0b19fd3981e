"""The edit that a rollback undoes: between which checkpoints it lies, and which parameters may go back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from harness import LineageEntry, StepFailed
from harness.weights import (
    Chunk,
    Stream,
    WeightFolder,
    check_same_tensors,
    check_same_tokenizer,
    check_stored_once,
    is_norm,
)
from harness_recoveries.rollback.config import guilty_step

BEFORE = 1
"""The place of `before` in an edit's streams."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """δ = `after` − `before`, to be taken from `now`. names: the parameters that may go back, sorted."""

    now: WeightFolder
    after: WeightFolder
    before: WeightFolder
    names: tuple[str, ...]
    _squares: dict[tuple[str, int, int], float] = field(default_factory=dict, repr=False)

    @property
    def to_before(self) -> bool:
        """Whether the edit is the last thing that happened, so that undoing it is going back to `before`."""
        return self.after is self.now

    @property
    def eligible(self) -> int:
        """How many coordinates may go back."""
        return sum(self.now.place(name).count for name in self.names)

    def stream(self, names: Sequence[str], *more: WeightFolder) -> Stream:
        """Returns `after` and `before` side by side, and `more` beside them."""
        return Stream([self.after, self.before, *more], names)

    def note(self, chunk: Chunk, edit: torch.Tensor) -> None:
        """Remembers the size of a chunk's part of the edit, from whoever has read it."""
        self._squares[chunk.name, chunk.start, chunk.count] = float(edit.dot(edit))

    def norm(self) -> float:
        """Returns the Euclidean norm of the edit of all parameters; what nobody has noted is read."""
        stream = self.stream(self.now.names())
        for chunk in stream.chunks:
            if (chunk.name, chunk.start, chunk.count) not in self._squares:
                after, before = stream.read(chunk)
                self.note(chunk, after - before)
        return math.sqrt(math.fsum(self._squares[chunk.name, chunk.start, chunk.count] for chunk in stream.chunks))


def edit_since_peak(now: Path, peak: Path, exclude: Sequence[str]) -> Edit:
    """Returns the whole edit from the target's peak on. Raises CheckpointError where the two do not fit together."""
    damaged, before = WeightFolder(now), WeightFolder(peak)
    _check(damaged, before)
    check_same_tensors(damaged, before, dtypes=True)
    return Edit(now=damaged, after=damaged, before=before, names=_eligible(damaged, exclude))


def edit_of(lineage: Sequence[LineageEntry], against: int | str, peak: int, exclude: Sequence[str]) -> Edit:
    """Returns the edit of the one step that `against` names.

    Raises StepFailed where it names none after the peak, CheckpointError where the checkpoints do not fit together.
    """
    try:
        step = guilty_step(against, [entry.label for entry in lineage], peak)
    except ValueError as error:
        raise StepFailed(f"against: {error}") from error
    before = lineage[step - 1].folder
    if step == len(lineage) - 1:
        return edit_since_peak(lineage[-1].folder, before, exclude)
    folders = WeightFolder(lineage[-1].folder), WeightFolder(lineage[step].folder), WeightFolder(before)
    for other in folders[1:]:
        _check(folders[0], other)
    return Edit(now=folders[0], after=folders[1], before=folders[2], names=_eligible(folders[0], exclude))


def _check(now: WeightFolder, other: WeightFolder) -> None:
    check_stored_once(now)
    check_stored_once(other, read_only=True)
    check_same_tensors(now, other)
    check_same_tokenizer(now, other)


def _eligible(folder: WeightFolder, exclude: Sequence[str]) -> tuple[str, ...]:
    names = tuple(
        name
        for name in folder.names()
        if not any(part in name or (part == "norm" and is_norm(name)) for part in exclude)
        and folder.dtype(name).is_floating_point
    )
    if not names:
        raise StepFailed(
            f"no parameter may go back: each has one of {', '.join(exclude)} in its name", where=str(folder.folder)
        )
    return names
