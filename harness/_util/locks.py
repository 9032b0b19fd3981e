"""Locks on files that any number of processes share, or one has alone; they end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hold_shared(path: Path) -> int:
    """Returns a descriptor that shares the lock at `path`, having waited for who has it alone."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def release(descriptor: int) -> None:
    """Gives the lock back."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a forked process still has the file open
    os.close(descriptor)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Shares the lock at `path` for the block."""
    descriptor = hold_shared(path)
    try:
        yield
    finally:
        release(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Has the lock at `path` alone for the block. Raises BlockingIOError at once where another process holds it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    try:
        yield
    finally:
        release(descriptor)


def is_held(path: Path) -> bool:
    """Returns whether a process holds the lock at `path`, shared or alone; of a lock that does not exist, none does."""
    if not path.exists():
        return False
    try:
        with alone(path):
            return False
    except BlockingIOError:
        return True


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY)  # another user's: enough for a lock
