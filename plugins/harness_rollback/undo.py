"""Writes a checkpoint without an edit on chosen coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.weights import CheckpointCopy, Chunk, Stream, over_chunks, patched_copy
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
    bits. Raises CheckpointError as `patched_copy` does.
    """
    with patched_copy(edit.now, output, rewritten=edit.names) as copy:
        choice = choose(output.parent)
        folders = [edit.now, edit.before] if edit.to_before else [edit.now, edit.before, edit.after]
        norms = over_chunks(Stream(folders, edit.names), lambda stream: _Undoing(edit, strength, stream, choice, copy))
    others = [name for name in edit.now.names() if name not in set(edit.names)]
    rest = [float((after - before).double().square().sum()) for _, (after, before) in edit.stream(others)]
    return Undone(
        choice=choice,
        norm=math.sqrt(math.fsum(undone for undone, _ in norms)),
        norm_of_edit=math.sqrt(math.fsum([*rest, *(whole for _, whole in norms)])),
    )


class _Undoing:
    """Writes the new values of a chunk; returns the squared norms of what they undo and of the edit."""

    def __init__(self, edit: Edit, strength: float, stream: Stream, choice: Choice, copy: CheckpointCopy) -> None:
        self._stream = stream
        self._choice = choice
        self._copy = copy
        self._whole_way = edit.to_before and strength == 1.0
        self._strength = strength
        self._step = torch.empty(max(chunk.count for chunk in stream.chunks), dtype=torch.float32)

    def __call__(self, chunk: Chunk) -> tuple[float, float]:
        stream = self._stream
        raw, raw_before = stream.raw(0, chunk), stream.raw(1, chunk)
        now, before = stream.in_fp32(0, raw), stream.in_fp32(1, raw_before)
        after = stream.values(2, chunk) if len(stream.folders) > 2 else now
        step = torch.sub(before, after, out=self._step[: chunk.count])
        # By their places: masked operations over a whole chunk cost more where few go back.
        places = torch.from_numpy(self._choice.places(chunk))
        undone = step[places].mul_(self._strength)
        raw[places] = raw_before[places] if self._whole_way else (now[places] + undone).to(raw.dtype)
        self._copy.write(chunk.name, raw, chunk.start)
        return float(undone.dot(undone)), float(step.dot(step))
