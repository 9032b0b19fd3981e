"""Limits on one call of a reward: it is named while it takes long, and given up after its time.

A thread cannot be stopped. A call that is given up runs on in the background, and what it returns is dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

SLOW_SECONDS = 30.0
"""A call that takes longer is named, and again each time that as much has passed."""


class CallTimedOut(Exception):
    """A call took longer than its limit."""


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """seconds: after which a call is given up, None for never. slow: called with a label and the seconds so far, from
    another thread, while a call takes long."""

    seconds: float | None = None
    slow: Callable[[str, float], None] | None = None

    @contextmanager
    def watching(self, label: str) -> Iterator[None]:
        """Calls `slow` while the block takes long."""
        if self.slow is None:
            yield
            return
        ended = threading.Event()
        watch = threading.Thread(target=_name_slow, args=(label, self.slow, ended), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()

    def call(self, function: Callable[[], Any]) -> Any:
        """Returns what the function does. Raises CallTimedOut where it takes too long, and what the function raises.

        With a limit, the function runs in a thread of its own, a daemon, which does not keep the process alive.
        """
        if self.seconds is None:
            return function()
        outcome: list[tuple[bool, Any]] = []
        context = copy_context()

        def run() -> None:
            try:
                outcome.append((True, context.run(function)))
            except BaseException as error:  # raised again in the thread that waits
                outcome.append((False, error))

        thread = threading.Thread(target=run, name="reward", daemon=True)
        thread.start()
        thread.join(self.seconds)
        if not outcome:
            raise CallTimedOut
        returned, value = outcome[0]
        if not returned:
            raise value
        return value


NO_LIMITS = CallLimits()


def _name_slow(label: str, slow: Callable[[str, float], None], ended: threading.Event) -> None:
    begin = time.monotonic()
    while not ended.wait(SLOW_SECONDS):
        slow(label, time.monotonic() - begin)
