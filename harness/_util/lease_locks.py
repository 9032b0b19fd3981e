"""Locks made of leases: for file systems on which flock does not hold between machines.

A lock is a folder `NAME.lease`. The lease of the folder is the exclusive lock. Who holds the lock in shared mode has a
file `reader-…` of its own there, created while holding the lease for a moment; who holds the lease and finds no reader
alive is alone.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from harness._util.lease_files import BEATS, HEART, SECONDS, Files, LeaseFile, OsFiles, Owner, State, Watch
from harness._util.leases import Lease
from harness._util.locks import Lock, LockLost, Locks, SharedHold, Wait

SUFFIX = ".lease"
_READER = "reader-"
_SHORTEST, _LONGEST = 0.05, 1.0
"""Seconds between two looks at a lock that is not free."""


class LeaseLocks(Locks):
    """Locks made of leases.

    make: creates a folder in `folder` that the other users of the store can write to. mode: the permission bits of new
    files. lasts: seconds after which a lease that is not renewed may be taken over, by all who wait for it. on: this
    machine.
    """

    def __init__(
        self,
        folder: Path,
        *,
        make: Callable[[Path], None] | None = None,
        mode: int = 0o644,
        lasts: float = SECONDS,
        on: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._make = make or _make
        self._files: Files = OsFiles(mode)
        self._lasts = lasts
        self._on = on
        self._sleep = sleep
        self._watch = Watch(self._files, clock=clock, on=on)
        self._exclusive: dict[str, _LeaseLock] = {}

    def exclusive(self, name: str) -> Lock:
        if name not in self._exclusive:
            lock = _LeaseLock(self._lease(name), self._acquire, self._folder / name)
            self._exclusive.setdefault(name, lock)  # threads get the same one
        return self._exclusive[name]

    def hold_shared(self, name: str) -> SharedHold:
        lease = self._lease(name)
        while True:
            self._acquire(lease, "until free")
            reader = LeaseFile(self._reader(name), self._owner(), self._files)
            try:
                reader.create()
                HEART.keep(reader)
                if lease.is_owner():  # otherwise another process may have found no reader
                    return _Reader(reader)
                _Reader(reader).release()
            except BaseException:
                _Reader(reader).release()
                raise
            finally:
                lease.release()

    @contextmanager
    def alone(self, name: str, wait: Wait = "never") -> Iterator[None]:
        lease = self._lease(name)
        if not self._acquire(lease, wait):
            raise BlockingIOError(f"{name} is held")
        try:
            for reader in self._readers(name):
                if not self._retry(partial(self._removed, reader), wait):
                    raise BlockingIOError(f"{name} is held")
            if not lease.is_owner():
                raise BlockingIOError(f"{name} was taken over")
            yield
        finally:
            lease.release()

    def held(self) -> set[str]:
        names = [name.removesuffix(SUFFIX) for name in self._files.names(self._folder) if name.endswith(SUFFIX)]
        states = {name: self._state(name) for name in names if not name.startswith(".")}
        while unknown := [name for name, state in states.items() if state == "unknown"]:
            self._sleep(min(self._lasts / BEATS / 2, _LONGEST))
            states |= {name: self._state(name) for name in unknown}
        return {name for name, state in states.items() if state == "held"}

    def is_held(self, name: str) -> bool:
        return self._state(name) != "free"

    def _state(self, name: str) -> State:
        states = {self._lease(name).state()[0], *(self._watch.state(path)[0] for path in self._readers(name))}
        return "held" if "held" in states else "unknown" if "unknown" in states else "free"

    def _acquire(self, lease: Lease, wait: Wait) -> bool:
        return self._retry(lease.try_acquire, wait)

    def _retry(self, attempt: Callable[[], State], wait: Wait) -> bool:
        """Repeats `attempt` until it returns `free`, as long as `wait` says."""
        pause = _SHORTEST
        while (state := attempt()) != "free":
            if wait == "never" or (wait == "until known" and state == "held"):
                return False
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST, max(self._lasts / BEATS, _SHORTEST))
        return True

    def _removed(self, reader: Path) -> State:
        """Removes the file of a reader that is dead."""
        state, _ = self._watch.state(reader)
        if state == "free":
            self._files.remove(reader)
        elif reader not in self._readers(reader.parent.name.removesuffix(SUFFIX)):
            return "free"
        return state

    def _readers(self, name: str) -> list[Path]:
        folder = self._folder / f"{name}{SUFFIX}"
        return [folder / file for file in self._files.names(folder) if file.startswith(_READER)]

    def _reader(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}" / f"{_READER}{uuid.uuid4().hex}"

    def _lease(self, name: str) -> Lease:
        folder = self._folder / f"{name}{SUFFIX}"
        return Lease(folder, files=self._files, watch=self._watch, make=self._make, owner=self._owner)

    def _owner(self) -> Owner:
        return Owner.this_process(self._lasts, on=self._on)


class _LeaseLock(Lock):
    def __init__(self, lease: Lease, acquire: Callable[[Lease, Wait], bool], path: Path) -> None:
        self._lease = lease
        self._acquire = acquire
        self._path = path
        self._thread = threading.RLock()
        self._depth = 0

    def acquire(self, wait: Wait = "until free") -> bool:
        if not self._thread.acquire(blocking=wait == "until free"):
            return False
        try:
            if self._depth or self._acquire(self._lease, wait):
                self._depth += 1
                return True
        except BaseException:
            self._thread.release()
            raise
        self._thread.release()
        return False

    def release(self) -> None:
        try:
            self._depth -= 1
            if self._depth == 0:
                self._lease.release()
        finally:
            self._thread.release()

    def check(self) -> None:
        if not self._lease.is_owner():
            _, owner = self._lease.state()
            raise LockLost.to(str(owner or "another process"), where=self._path)

    @property
    def number(self) -> int:
        return self._lease.number if self._lease.held is not None else self._lease.newest()


class _Reader(SharedHold):
    def __init__(self, file: LeaseFile) -> None:
        self._file = file

    def release(self) -> None:
        HEART.drop(self._file)
        self._file.remove()


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
