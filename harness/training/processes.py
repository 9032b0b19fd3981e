"""What a training step's ranks tell each other. One process is one rank."""

from __future__ import annotations

from typing import TypeVar

import torch.distributed

Told = TypeVar("Told")


def gathered(value: Told) -> list[Told]:
    """Returns what each rank gave, in their order; every rank has to ask, and waits for the others."""
    if not torch.distributed.is_initialized():
        return [value]
    everyone: list[Told | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, value)
    return everyone  # type: ignore[return-value]
