"""Writes a checkpoint without an edit on chosen coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.weights import CheckpointCopy, Chunk, Stream, over_chunks, patched_copy
from harness_recoveries.rollback.choice import Choice
from harness_recoveries.rollback.edit import Edit


@dataclass(frozen=True, kw_only=True)
class Undone:
    """norm: of what was taken back, strength included. norm_of_edit: of the whole edit, of all parameters."""

    choice: Choice
    norm: float
    norm_of_edit: float


def undo(edit: Edit, output: Path, strength: float, choose: Callable[[Path], Choice]) -> Undone:
    """Writes `edit.now` to `output`, less `strength` times the edit on the coordinates that `choose` returns; the
    folder that it is given is for temporary files.

    With strength 1 and an edit that is the last thing that happened, the values there are those before the edit, bit
    for bit; otherwise now + strength·(before − after) in fp32, rounded to the weights' dtype. All others keep their
    bits. Raises CheckpointError as `patched_copy` does.
    """
    with patched_copy(edit.now, output, rewritten=edit.names) as copy:
        choice = choose(output.parent)
        folders = [edit.now, edit.before] if edit.to_before else [edit.now, edit.before, edit.after]
        squares = over_chunks(Stream(folders, edit.names), lambda own: _Undoing(edit, strength, own, choice, copy).undo)
    return Undone(choice=choice, norm=math.sqrt(math.fsum(squares)), norm_of_edit=edit.norm())


@dataclass(frozen=True)
class _Undoing:
    edit: Edit
    strength: float
    stream: Stream
    choice: Choice
    copy: CheckpointCopy

    def undo(self, chunk: Chunk) -> float:
        """Writes the new values of a chunk; returns the squared norm of what they undo."""
        taken = self.choice.taken(chunk)
        places = torch.from_numpy(taken.places)
        raw = self.stream.raw(0, chunk)
        now = raw[places]
        if taken.values is None:
            before = self.stream.raw(1, chunk)[places]
        else:
            before = torch.from_numpy(taken.values).view(self.edit.before.dtype(chunk.name))
        after = now if self.edit.to_before else self.stream.raw(2, chunk)[places]
        undone = (before.float() - after.float()).mul_(self.strength)
        whole_way = self.edit.to_before and self.strength == 1.0
        raw[places] = before if whole_way else (now.float() + undone).to(raw.dtype)
        self.copy.write(chunk.name, raw, chunk.start)
        return float(undone.dot(undone))
