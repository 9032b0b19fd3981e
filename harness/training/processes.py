"""Communication between the ranks of a training step. Each process is one rank."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed
from accelerate import PartialState

Told = TypeVar("Told")


def begun() -> PartialState:
    """Returns accelerate's state of the processes. Begins their communication, as Trainer does, if it has not begun,
    which is a collective call."""
    return PartialState(cpu=not torch.cuda.is_available())


def gathered(value: Told) -> list[Told]:
    """Returns the values of all ranks, in rank order. A collective call: every rank must make it."""
    if not torch.distributed.is_initialized():
        return [value]
    everyone: list[Told | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone  # type: ignore[return-value]
