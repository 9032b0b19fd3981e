"""Ctrl-C, SIGTERM and SIGHUP unwind the run like an interrupt: what is half-done is cleaned up and resumable."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import ExitCode, HarnessError, RunStopped


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP. An interrupt, not an Exception: no library that catches Exception may swallow it."""


class Interrupted(HarnessError):
    """Ctrl-C; the same command goes on where this one stopped."""

    exit_code = ExitCode.INTERRUPTED


class _Request:
    made = False


def catch_termination() -> None:
    """Makes SIGTERM raise Terminated in the main thread, once; and SIGHUP, unless it is ignored, as under `nohup`."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    if not _Request.made:
        _Request.made = True
        raise Terminated


def raise_if_terminated() -> None:
    """Raises Terminated where SIGTERM came and the exception was lost, as one raised in a destructor is."""
    if _Request.made:
        raise Terminated


@contextmanager
def told_to_a_person() -> Iterator[None]:
    """Raises RunStopped for Terminated, and Interrupted for Ctrl-C."""
    try:
        yield
    except Terminated:
        raise RunStopped("stopped; the same command goes on where this one stopped") from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where this one stopped") from None
