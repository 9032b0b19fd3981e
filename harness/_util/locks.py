"""Locks between processes, by name, in one folder: the interface, and locks of the operating system (flock).

A lock is exclusive (one holder) or shared (any number of holders, none of them exclusive). `harness._util.lease_locks`
has the other implementation, for file systems on which flock does not hold between machines.
"""

from __future__ import annotations

import fcntl
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from harness.errors import WorkerLost

Wait = Literal["until free", "until known", "never"]
"""How long to wait for a lock. `until known`: until it is clear whether its holder is alive."""


class LockLost(WorkerLost):
    """This process held a lock, and another one has taken it over."""

    @classmethod
    def to(cls, owner: str, *, where: Path) -> LockLost:
        """Returns the error for a lock that `owner` has."""
        return cls(
            f"this process lost its lease on this result to {owner}: it was suspended, or could not reach the store",
            where=str(where),
            hint="nothing was damaged; run the same command again, it uses the result of the other process",
        )


class Lock(ABC):
    """An exclusive lock. Reentrant within a thread."""

    @abstractmethod
    def acquire(self, wait: Wait = "until free") -> bool:
        """Acquires the lock and returns True; returns False if `wait` ended before it was free."""

    @abstractmethod
    def release(self) -> None:
        """Releases one `acquire`."""

    def check(self) -> None:
        """Raises LockLost if another process has taken over the lock since it was acquired."""
        return

    @property
    def number(self) -> int | None:
        """The number of the current hold, higher than those of all holds before; None if a lock is never taken over."""
        return None


class SharedHold(ABC):
    """A lock held in shared mode."""

    @abstractmethod
    def release(self) -> None:
        """Releases the lock."""


class Locks(ABC):
    """The locks in one folder."""

    @abstractmethod
    def exclusive(self, name: str) -> Lock:
        """Returns the lock `name`, not acquired. The same object for the same name."""

    @abstractmethod
    def hold_shared(self, name: str) -> SharedHold:
        """Acquires the lock `name` in shared mode. Waits while it is held exclusively."""

    @abstractmethod
    def alone(self, name: str, wait: Wait = "never") -> AbstractContextManager[None]:
        """Holds the lock `name` exclusively for the block. Raises BlockingIOError if it is held in either mode.

        wait: `never` or `until known`.
        """

    @abstractmethod
    def is_held(self, name: str) -> bool:
        """Returns whether the lock `name` is held in either mode, or it is not known. Writes nothing."""

    @abstractmethod
    def held(self) -> set[str]:
        """Returns the names of the locks that are held in either mode, without those that begin with a dot. Waits until
        it is known of each."""

    @contextmanager
    def shared(self, name: str) -> Iterator[None]:
        """Holds the lock `name` in shared mode for the block."""
        hold = self.hold_shared(name)
        try:
            yield
        finally:
            hold.release()


class FileLocks(Locks):
    """Locks of the operating system. They end with their process.

    mode: the permission bits of new lock files.
    """

    def __init__(self, folder: Path, *, mode: int = 0o644) -> None:
        self._folder = folder
        self._mode = mode
        self._exclusive: dict[str, _FileLock] = {}

    def exclusive(self, name: str) -> Lock:
        if name not in self._exclusive:
            self._exclusive.setdefault(name, _FileLock(self._folder / name, self._mode))  # threads get the same one
        return self._exclusive[name]

    def hold_shared(self, name: str) -> SharedHold:
        descriptor = self._open(name)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return _Descriptor(descriptor)

    @contextmanager
    def alone(self, name: str, wait: Wait = "never") -> Iterator[None]:
        descriptor = self._open(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        try:
            yield
        finally:
            _Descriptor(descriptor).release()

    def held(self) -> set[str]:
        if not self._folder.is_dir():
            return set()
        names = [path.name for path in self._folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        return {name for name in names if self.is_held(name)}

    def is_held(self, name: str) -> bool:
        if not (self._folder / name).exists():
            return False
        try:
            with self.alone(name):
                return False
        except BlockingIOError:
            return True

    def _open(self, name: str) -> int:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:
            return os.open(path, os.O_RDONLY)  # owned by another user; reading is enough to lock


class _FileLock(Lock):
    def __init__(self, path: Path, mode: int) -> None:
        self._lock = FileLock(path, mode=mode)

    def acquire(self, wait: Wait = "until free") -> bool:
        try:
            self._lock.acquire(timeout=-1 if wait == "until free" else 0)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()


class _Descriptor(SharedHold):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing is not enough if a forked process has the file open
        os.close(self._descriptor)
