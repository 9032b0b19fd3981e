"""One seed for every random draw, by name, so that no two draws of a run share their stream by accident."""

from __future__ import annotations

import hashlib


def named_seed(run_seed: int, *names: str | int) -> int:
    """Returns a seed in [0, 2^31) that depends on the run's seed and on every name, in order.

    A step's seed is named by its verb and its depth (the base is 0), not by its method: methods that begin alike share
    their steps, and so must share their seeds.
    """
    text = "/".join(str(part) for part in (run_seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFF_FFFF
