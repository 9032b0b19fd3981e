"""A training step's ranks: how many share it, and what they tell each other. One process is one rank."""

from __future__ import annotations

import os
from typing import TypeVar

import torch.distributed

Told = TypeVar("Told")


def world_size() -> int:
    """Returns how many processes share this step, as their launcher says it before any of them has met another."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Returns this process's rank, 0 for the only one."""
    return int(os.environ.get("RANK", "0"))


def gathered(value: Told) -> list[Told]:
    """Returns what each rank gave, in their order; every rank has to ask, and waits for the others."""
    if not torch.distributed.is_initialized():
        return [value]
    everyone: list[Told | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone  # type: ignore[return-value]
