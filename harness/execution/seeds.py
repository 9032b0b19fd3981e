"""Named seeds for random draws, so that no two draws of a run share a random stream by accident."""

from __future__ import annotations

import hashlib


def named_seed(run_seed: int, *names: str | int) -> int:
    """Returns a seed in [0, 2^31) that depends on the run's seed and on every name, in order.

    The seed of a step is named by its verb and its depth (the base is 0), not by its method, because methods with the
    same first steps share them.
    """
    text = "/".join(str(part) for part in (run_seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFF_FFFF
