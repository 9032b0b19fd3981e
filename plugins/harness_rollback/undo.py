"""Writes a checkpoint without an edit on chosen coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.weights import Chunk, Stream, patched_copy
from harness_rollback.choice import Choice
from harness_rollback.edit import Edit


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
    bits. The weights are copied while the coordinates are chosen. Raises CheckpointError as `patched_copy` does.
    """
    with patched_copy(edit.now, output) as copy:
        choice = choose(output.parent)
        undoing = _Undoing(edit, strength)
        for chunk in undoing.stream.chunks:
            mask = choice.mask(chunk)
            values = undoing.values(chunk, mask)
            if mask.numpy().any():
                copy.write(chunk.name, values, chunk.start)
    others = [name for name in edit.now.names() if name not in set(edit.names)]
    rest = sum(float((after - before).double().square().sum()) for _, (after, before) in edit.stream(others))
    return Undone(
        choice=choice, norm=math.sqrt(undoing.norm_squared), norm_of_edit=math.sqrt(undoing.edit_norm_squared + rest)
    )


class _Undoing:
    """The new values, chunk by chunk, and the squared norms of what they undo and of the edit so far."""

    def __init__(self, edit: Edit, strength: float) -> None:
        folders = [edit.now, edit.before] if edit.to_before else [edit.now, edit.before, edit.after]
        self.stream = Stream(folders, edit.names)
        self.norm_squared = self.edit_norm_squared = 0.0
        self._whole_way = edit.to_before and strength == 1.0
        self._strength = strength
        self._step = torch.empty(max(chunk.count for chunk in self.stream.chunks), dtype=torch.float32)

    def values(self, chunk: Chunk, mask: torch.Tensor) -> torch.Tensor:
        """Returns the chunk's values in their dtype; where `mask` is set, without the edit."""
        raw, raw_before = self.stream.raw(0, chunk), self.stream.raw(1, chunk)
        now, before = self.stream.in_fp32(0, raw), self.stream.in_fp32(1, raw_before)
        after = self.stream.values(2, chunk) if len(self.stream.folders) > 2 else now
        step = torch.sub(before, after, out=self._step[: chunk.count])
        self.edit_norm_squared += float(step.dot(step))
        step.mul_(self._strength)
        changed = raw_before if self._whole_way else (now + step).to(raw.dtype)
        step.mul_(mask)
        self.norm_squared += float(step.dot(step))
        return torch.where(mask, changed, raw)
