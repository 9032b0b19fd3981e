"""Which of a launched step's processes this is, as the launcher says it before any of them has met another."""

from __future__ import annotations

import os


def world_size() -> int:
    """Returns how many processes share this step; 1 where it was not launched."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Returns this process's rank; 0, the rank that writes and reports, for the only one."""
    return int(os.environ.get("RANK", "0"))
