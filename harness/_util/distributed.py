"""Rank and world size of a launched step, from the launcher's environment (torch.distributed is not needed)."""

from __future__ import annotations

import os


def world_size() -> int:
    """Returns the number of processes of this step; 1 if it was not launched."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Returns the rank of this process; 0 if it was not launched. Rank 0 writes and reports."""
    return int(os.environ.get("RANK", "0"))
