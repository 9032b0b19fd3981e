"""Handles Ctrl-C, SIGTERM and SIGHUP as interrupts, so that the run cleans up and can be resumed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import ExitCode, HarnessError, RunStopped


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM or SIGHUP. Not an Exception, so that `except Exception` in libraries does not catch it."""


class Interrupted(HarnessError):
    """The command was interrupted by Ctrl-C. The same command resumes a run."""

    exit_code = ExitCode.INTERRUPTED


class _Request:
    received = False


def catch_termination() -> None:
    """Makes SIGTERM and SIGHUP raise Terminated in the main thread, once. An ignored SIGHUP (`nohup`) stays ignored."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    if not _Request.received:
        _Request.received = True
        raise Terminated


def raise_if_terminated() -> None:
    """Raises Terminated if a signal was received but its exception was lost, for example in a destructor."""
    if _Request.received:
        raise Terminated


@contextmanager
def interrupts_as_errors(*, resumable: bool) -> Iterator[None]:
    """Converts Terminated to RunStopped and KeyboardInterrupt to Interrupted.

    resumable: the message says that the same command resumes the run.
    """
    then = "; the same command resumes the run" if resumable else ""
    try:
        yield
    except Terminated:
        raise RunStopped(f"stopped{then}") from None
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted{then}") from None
