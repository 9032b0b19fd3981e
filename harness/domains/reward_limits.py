"""Limits on one call of a reward: a slow call is reported, and a call that exceeds its time limit is abandoned.

A thread cannot be stopped. An abandoned call continues in the background, and its result is dropped.
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
"""A call is reported after this many seconds, and again after each further interval of this length."""


class CallTimedOut(Exception):
    """A call took longer than its limit."""


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """Limits on a call.

    seconds: the time limit; None for no limit. slow: called from another thread, with a label and the seconds so far,
    while a call is slow.
    """

    seconds: float | None = None
    slow: Callable[[str, float], None] | None = None

    @contextmanager
    def watching(self, label: str) -> Iterator[None]:
        """Calls `slow` while the block runs longer than `SLOW_SECONDS`."""
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
        """Returns the function's result. Raises CallTimedOut after the time limit, and whatever the function raises.

        With a limit, the function runs in a daemon thread, which does not keep the process alive.
        """
        if self.seconds is None:
            return function()
        outcome: list[tuple[bool, Any]] = []
        context = copy_context()

        def run() -> None:
            try:
                outcome.append((True, context.run(function)))
            except BaseException as error:  # raised again in the waiting thread
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
