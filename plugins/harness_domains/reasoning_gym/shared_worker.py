"""The worker that all reasoning-gym domains and rewards of this process share."""

from __future__ import annotations

from functools import lru_cache

from harness.domains import LineWorker
from harness_domains.reasoning_gym.catalogue import INSTALL


@lru_cache(maxsize=1)
def shared_worker() -> LineWorker:
    """Returns the worker. Its environment fixes the order of sets of text, and keeps matplotlib off displays."""
    environment = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}
    return LineWorker("harness_domains.reasoning_gym.worker", hint=INSTALL, environment=environment)
