"""The store of results by content key. Results are written atomically.

A result's folder is written to a temporary path, synced, sealed with `DONE.json` (format, size and sha256 of every
file), and renamed, so a killed process never leaves an incomplete result under a key. A folder without `DONE.json` is
not a result. A per-key lock prevents duplicate computation. Where locks are leases, another machine may take over the
key of a process that stood still; that process finds out before it publishes (`LockLost`), and its files are its own.

Files are verified against their sha256: small files by `read`, models by `check` before they are loaded. The digests
detect damage and edits, unless `DONE.json` is edited as well.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from harness._util.content_key import canonical_json
from harness._util.disk_errors import StoreForbidden, disk_error
from harness._util.files import atomic_directory, temporary_beside
from harness._util.flags import is_on
from harness._util.json_reading import parse_json
from harness._util.locks import Lock, Locks
from harness._util.permissions import grant, make_shared, writable_by_others
from harness.errors import HarnessError
from harness.execution.scratch import newest_scratch, own_scratch
from harness.execution.store_locks import locks_in
from harness.execution.store_marker import (
    MARKER,
    DamagedResult,
    Digests,
    Fault,
    faults_of,
    read_marker,
    reason,
    seal,
    sha256_of,
)

DEFINITION = "DEFINITION.json"
"""The file of a result with the content of its key."""

VERIFY = "HARNESS_VERIFY"
"""Environment variable: 0 skips the verification of models. It does not affect results."""

LOCKS = ".locks"
"""The folder of the store's locks."""

REMOVING = ".removing"
"""The lock of processes that remove results. No run starts while it is held."""

_ASK_OWNER = "another user wrote it: its files have to be readable for you"

State = Literal["absent", "done", "damaged"]


class Store:
    """A folder of results.

    waiting: called with a key while another process computes that result. verify: whether `check` compares digests;
    the environment variable HARNESS_VERIFY unless given.
    """

    def __init__(self, root: Path, *, waiting: Callable[[str], None] | None = None, verify: bool | None = None) -> None:
        self.root = root
        self._waiting = waiting
        self._verify = is_on(VERIFY, os.environ, default=True) if verify is None else verify
        self._digest = Digests()

    def path(self, key: str) -> Path:
        """Returns the path of the result `key`, whether it exists or not."""
        if not _is_key(key):
            raise ValueError(f"{key!r} is not a key of a store")
        return self.root / key

    def has(self, key: str) -> bool:
        """Returns whether the result exists and is complete by its marker and file sizes. `verify` also reads files."""
        return self.state(key) == "done"

    def state(self, key: str) -> State:
        """Returns the state: `damaged` if the marker is unreadable, a file is missing, or its size differs."""
        folder = self.path(key)
        try:
            files = read_marker(folder)
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except PermissionError as error:
            raise StoreForbidden(f"cannot be read: {error.strerror}", where=str(folder), hint=_ASK_OWNER) from error
        except ValueError:
            return "damaged"
        for name, entry in files.items():
            try:
                size = (folder / name).stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return "damaged"
            if size != entry["size"]:
                return "damaged"
        return "done"

    def verify(self, key: str) -> list[str]:
        """Reads every file of the result and returns its faults, empty if there are none."""
        if self.state(key) == "absent":
            return [f"{key} is not in the store"]
        return [str(fault) for fault in self.faults(key)]

    def faults(self, key: str) -> list[Fault]:
        """Reads every file in the folder of `key`, even without a marker, and returns the faults."""
        return list(faults_of(self.path(key), "", sha256_of))

    def results(self) -> list[str]:
        """Returns the sorted keys of all results in the store, complete or not. Ignores other files."""
        names = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        return sorted(name for name in names if re.fullmatch(r"[0-9a-f]{64}", name))

    def read(self, key: str, name: str) -> bytes:
        """Returns the content of a small file of the result. Raises DamagedResult if it has changed."""
        folder = self.path(key)
        try:
            entry = read_marker(folder).get(name)
            content = (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedResult(folder, f"{name} is missing") from None
        except (OSError, ValueError) as error:
            raise DamagedResult(folder, f"{MARKER} or {name} cannot be read: {reason(error)}") from error
        if entry is None or hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise DamagedResult(folder, f"{name} has changed since it was written")
        return content

    def read_json(self, key: str, name: str) -> Any:
        """Returns the data in a JSON file of the result. Raises DamagedResult as `read` does."""
        try:
            return parse_json(self.read(key, name))
        except ValueError as error:
            raise DamagedResult(self.path(key), f"{name} is not JSON: {error}") from error

    def holds(self, key: str) -> bool:
        """Returns whether the result exists. Raises DamagedResult if it is damaged by its file sizes."""
        state = self.state(key)
        if state == "damaged":
            for fault in faults_of(self.path(key), "", self._digest):
                raise DamagedResult(self.path(key), str(fault))
        return state == "done"

    def check(self, key: str, below: str) -> None:
        """Compares the files in the folder `below` of the result with their digests. A file is read again only if it
        has changed. Raises DamagedResult. Does nothing if verification is off."""
        if self._verify:
            for fault in faults_of(self.path(key), below, self._digest):
                raise DamagedResult(self.path(key), str(fault))

    def remove(self, key: str) -> bool:
        """Removes the result and unfinished work on it. Returns False if another process is computing it."""
        lock = self._lock_of(key)
        with self._disk_errors():
            if not lock.acquire("until known"):
                return False
            try:
                target = self.path(key)
                if target.exists():
                    self._discard(key)
                shutil.rmtree(self.root / ".scratch" / key, ignore_errors=True)
            finally:
                lock.release()
        return True

    def definition(self, key: str) -> dict[str, Any] | None:
        """Returns the content of a result's key, None if it was not stored or cannot be read."""
        try:
            read = parse_json((self.path(key) / DEFINITION).read_bytes())
        except (OSError, ValueError):
            return None
        return read if isinstance(read, dict) else None

    def scratch(self, key: str) -> Path:
        """Returns a folder for unfinished work on `key`. It survives a kill and is deleted when `key` is done."""
        number = self._lock_of(key).number
        with self._disk_errors():
            folder = own_scratch(self.root / ".scratch" / self.path(key).name, number)
            self._make(folder)
        return folder

    def unfinished(self, key: str) -> Path:
        """Returns where the newest unfinished work on `key` lies, if there is any. Writes nothing."""
        return newest_scratch(self.root / ".scratch" / self.path(key).name)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Holds the lock of `key`, after waiting for other processes. The lock is reentrant."""
        lock = self._lock_of(key)
        with self._disk_errors():
            if not lock.acquire("never"):
                if self._waiting is not None:
                    self._waiting(key)
                lock.acquire()
        try:
            yield
        except Exception:
            lock.check()  # then its files are gone, whatever it failed of
            raise
        finally:
            lock.release()

    @contextmanager
    def writing(self, key: str, definition: Mapping[str, Any] | None = None) -> Iterator[Path]:
        """Yields a folder, which becomes the result `key` if the block succeeds, and is removed otherwise.

        definition: what the key was computed from, as JSON data; it is stored with the result.

        Raises StoreFull if the disk is full, StoreForbidden if the store is not writable, StepFailed if the folder
        contains a symbolic link. If a complete result exists already, it is kept, because the same key means the same
        bytes.
        """
        target = self.path(key)
        with self.lock(key), self._disk_errors():
            self._sweep(key)
            temporary = self._temporary(key)
            self._make(temporary)
            with atomic_directory(target, temporary=temporary):
                if definition is not None:
                    (temporary / DEFINITION).write_text(canonical_json(definition) + "\n", encoding="utf-8")
                yield temporary
                seal(temporary)
                for path in [path for path in temporary.rglob("*") if path.is_dir()]:
                    grant(path, writable_by_others(self.root))
                done, there = self.state(key) == "done", target.exists()
                self._lock_of(key).check()
                if done:
                    shutil.rmtree(temporary)
                elif there:
                    self._discard(key)
            shutil.rmtree(self.root / ".scratch" / key, ignore_errors=True)

    def sweep(self) -> None:
        """Removes the files of killed processes: temporary folders of keys without a lock, and scratch of finished
        results."""
        if not self.root.is_dir():
            return
        # Files of a file manager or a network file system are not keys.
        stale = {name for path in self.root.glob("*.tmp-*") if _is_key(name := path.name.partition(".tmp-")[0])}
        scratch = self.root / ".scratch"
        kept = [path.name for path in scratch.iterdir() if _is_key(path.name)] if scratch.is_dir() else []
        finished = {key for key in kept if self.has(key)}
        with self._disk_errors():
            for key in sorted(stale | finished):
                lock = self._lock_of(key)
                if not lock.acquire("never"):
                    continue
                try:
                    self._sweep(key)
                    if key in finished:
                        shutil.rmtree(scratch / key)
                finally:
                    lock.release()

    def _discard(self, key: str) -> None:
        """Removes the folder of `key`, so that a kill leaves no partial result. The lock of `key` must be held."""
        discarded = self._temporary(key)
        self.path(key).rename(discarded)
        shutil.rmtree(discarded)

    def _make(self, folder: Path) -> None:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        make_shared(folder, self.root.parent)

    def _sweep(self, key: str) -> None:
        """Removes the temporary folders of `key`. Its lock must be held, so their processes have ended."""
        for path in self.root.glob(f"{key}.tmp-*"):
            shutil.rmtree(
                path, ignore_errors=self._lock_of(key).number is not None
            )  # the process may only have been paused

    def _temporary(self, key: str) -> Path:
        return temporary_beside(self.path(key), hidden=False)

    def lock_file(self, name: str) -> Path:
        """Returns the path of the lock `name`, a key or another name, and creates its folder."""
        folder = self.root / LOCKS
        with self._disk_errors():
            self._make(folder)
        return folder / name

    @cached_property
    def locks(self) -> Locks:
        """The locks of the store, of the kind that all processes share. Raises UsageError if they cannot."""
        folder = self.lock_file("")
        with self._disk_errors():
            return locks_in(folder, self._make, 0o644 | writable_by_others(self.root))

    @contextmanager
    def in_use(self, run: str) -> Iterator[None]:
        """Marks the results of a run, given by the key of its plan, as in use, so that `harness store` does not remove
        them."""
        with ExitStack() as held:
            with self._disk_errors(), self.locks.shared(REMOVING):  # waits for processes that remove results
                held.enter_context(self.locks.shared(f"{run}.run"))
            yield

    def is_in_use(self, run: str) -> bool:
        """Returns whether a process runs the plan with the key `run`, as far as this process has seen. Writes nothing.

        Where locks are leases, a run that was killed on another machine counts until its lease has been watched.
        """
        return self._seen_locks is not None and self._seen_locks.is_held(f"{run}.run")

    @cached_property
    def _seen_locks(self) -> Locks | None:
        folder = self.root / LOCKS
        return locks_in(folder, self._make, 0o644, record=False) if folder.is_dir() else None

    def _lock_of(self, key: str) -> Lock:
        return self.locks.exclusive(self.path(key).name)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except HarnessError:
            raise
        except Exception as error:  # also errors of native code, which does not raise OSError
            disk_fault = disk_error(error, self.root)
            if disk_fault is None:
                raise
            raise disk_fault from error


def _is_key(name: str) -> bool:
    return bool(name) and not name.startswith(".") and ".tmp-" not in name and Path(name).name == name
