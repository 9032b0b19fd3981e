"""Writes a checkpoint in which a weight delta is undone on selected weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.weights import CheckpointCopy, Chunk, Selection, Stream, WeightDelta, over_chunks, patched_copy


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What a rollback changed. norm: of the change, including strength. norm_of_delta: of the delta over all
    parameters."""

    selection: Selection
    norm: float
    norm_of_delta: float


def undo(delta: WeightDelta, output: Path, strength: float, select: Callable[[Path], Selection]) -> Undone:
    """Writes `delta.now` to `output`, minus `strength` times the delta on the selected weights.

    select: returns the selection; called with a folder for temporary files. Where the delta is the last change and
    strength is 1, the selected weights get the bits they had before. Otherwise they are
    now + strength·(before − after) in fp32, rounded to their dtype. All other weights keep their bits. Raises
    CheckpointError as `patched_copy` does.
    """
    with patched_copy(delta.now, output, rewritten=delta.names) as copy:
        selection = select(output.parent)
        folders = [delta.now, delta.before] if delta.is_last else [delta.now, delta.before, delta.after]
        squares = over_chunks(
            Stream(folders, delta.names), lambda stream: _Undoing(delta, strength, stream, selection, copy).undo
        )
    return Undone(selection=selection, norm=math.sqrt(math.fsum(squares)), norm_of_delta=delta.norm())


@dataclass(frozen=True)
class _Undoing:
    delta: WeightDelta
    strength: float
    stream: Stream
    selection: Selection
    copy: CheckpointCopy

    def undo(self, chunk: Chunk) -> float:
        """Writes the new values of a chunk; returns the squared norm of the change."""
        selected = self.selection.in_chunk(chunk)
        indices = torch.from_numpy(selected.indices)
        raw = self.stream.raw(0, chunk)
        now = raw[indices]
        if selected.values is None:
            before = self.stream.raw(1, chunk)[indices]
        else:
            before = torch.from_numpy(selected.values).view(self.delta.before.dtype(chunk.name))
        after = now if self.delta.is_last else self.stream.raw(2, chunk)[indices]
        change = (before.float() - after.float()).mul_(self.strength)
        completely = self.delta.is_last and self.strength == 1.0
        raw[indices] = before if completely else (now.float() + change).to(raw.dtype)
        self.copy.write(chunk.name, raw, chunk.start)
        return float(change.dot(change))
