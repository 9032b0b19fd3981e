"""Shared and exclusive file locks between processes. A lock is released when its process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def hold_shared(path: Path) -> int:
    """Acquires the lock at `path` in shared mode and returns its descriptor. Blocks while it is held exclusively."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def release(descriptor: int) -> None:
    """Releases the lock."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough if a forked process has the file open
    os.close(descriptor)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Holds the lock at `path` in shared mode for the block."""
    descriptor = hold_shared(path)
    try:
        yield
    finally:
        release(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds the lock at `path` exclusively for the block. Raises BlockingIOError if it is already held."""
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
    """Returns whether the lock at `path` is held in either mode; False if it does not exist."""
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
        return os.open(path, os.O_RDONLY)  # owned by another user; reading is enough to lock
