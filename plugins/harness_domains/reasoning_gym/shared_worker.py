"""The one worker of this process, which all domains and rewards of reasoning-gym ask."""

from __future__ import annotations

from functools import lru_cache

from harness.domains import LineWorker
from harness_domains.reasoning_gym.catalogue import INSTALL


@lru_cache(maxsize=1)
def shared_worker() -> LineWorker:
    """Returns the worker; sets of text have one order for good in it, and matplotlib asks for no display."""
    environment = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}
    return LineWorker("harness_domains.reasoning_gym.worker", hint=INSTALL, environment=environment)
