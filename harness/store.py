"""Results by their content keys: a folder is there whole, or it is not there.

A folder is written beside its place, synced file by file, sealed with `DONE.json` (format, size and sha256 of every
file), and renamed, so a process killed at any moment leaves nothing half-written under a key. A lock a key keeps two
processes from making the same result; a folder without `DONE.json` does not exist.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from harness.atomic_file import sync
from harness.disk_space import disk_full, shows_full
from harness.errors import DiskFull, HarnessError, StepFailed, UsageError
from harness.keys import canonical_json

FORMAT = 1
MARKER = "DONE.json"
DEFINITION = "DEFINITION.json"
"""The file of a result with what its key was computed from."""
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

State = Literal["absent", "done", "damaged"]


class StoreFull(DiskFull):
    """The disk of the store is full: no further node can be made."""


class StoreForbidden(UsageError):
    """The store cannot be written to: no node can be made."""


class Store:
    """A folder of results. `waiting` is called with a key when another process is making that result."""

    def __init__(self, root: Path, *, waiting: Callable[[str], None] | None = None) -> None:
        self.root = root
        self._waiting = waiting
        self._locks: dict[str, FileLock] = {}

    def path(self, key: str) -> Path:
        """Returns where the result `key` is or will be."""
        if not _is_key(key):
            raise ValueError(f"{key!r} is no key of a store")
        return self.root / key

    def has(self, key: str) -> bool:
        """Returns whether the result is there, whole by its marker and its files' sizes; `verify` also reads them."""
        return self.state(key) == "done"

    def state(self, key: str) -> State:
        """Returns `damaged` where the marker is unreadable or a file is missing or of another size than it says."""
        folder = self.path(key)
        try:
            files = _read_marker(folder)
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except (ValueError, TypeError, KeyError):
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
        """Returns what is wrong with the result, file by file, having read every byte; empty where it is whole."""
        state = self.state(key)
        if state == "absent":
            return [f"{key} is not in the store"]
        folder = self.path(key)
        try:
            files = _read_marker(folder)
        except (ValueError, TypeError, KeyError):
            return [f"{MARKER} cannot be read"]
        faults = []
        for name, entry in sorted(files.items()):
            if not (folder / name).is_file():
                faults.append(f"{name} is missing")
            elif _sha256(folder / name) != entry["sha256"]:
                faults.append(f"{name} has changed since it was written")
        extra = {path.relative_to(folder).as_posix() for path in _files(folder)} - set(files) - {MARKER}
        return faults + [f"{name} was added" for name in sorted(extra)]

    def definition(self, key: str) -> dict[str, Any] | None:
        """Returns what the key of a result was computed from; None where that was not stored or cannot be read."""
        try:
            read = json.loads((self.path(key) / DEFINITION).read_bytes())
        except (OSError, ValueError):
            return None
        return read if isinstance(read, dict) else None

    def scratch(self, key: str) -> Path:
        """Returns a folder for unfinished work on `key`, kept when the process is killed, gone when `key` is done."""
        folder = self.root / ".scratch" / self.path(key).name
        with self._disk_errors():
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Holds the lock of `key`, having waited for any other process that does. May be entered again while held."""
        lock = self._lock_of(key)
        with self._disk_errors():
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if self._waiting is not None:
                    self._waiting(key)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self, key: str, definition: Mapping[str, Any] | None = None) -> Iterator[Path]:
        """Yields a folder, which becomes the result `key` when the block ends well, and is removed otherwise.

        definition: what the key was computed from, as JSON data; it is stored with the result.

        Raises StoreFull where the disk is full, StoreForbidden where the store cannot be written to, StepFailed where
        the block left a link. A result that is there already and whole is kept: the same key, the same bytes.
        """
        target = self.path(key)
        with self.lock(key), self._disk_errors():
            self._sweep(key)
            temporary = self._temporary(key)
            temporary.mkdir(parents=True)
            try:
                if definition is not None:
                    (temporary / DEFINITION).write_text(canonical_json(definition) + "\n", encoding="utf-8")
                yield temporary
                _seal(temporary)
                if self.state(key) != "done":
                    if target.exists():
                        discarded = self._temporary(key)
                        target.rename(discarded)
                        shutil.rmtree(discarded)
                    temporary.rename(target)
                    sync(self.root)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)  # gone already where it was renamed
            shutil.rmtree(self.root / ".scratch" / key, ignore_errors=True)

    def sweep(self) -> None:
        """Removes what killed processes left: temporaries whose key nobody holds, and scratch of finished results."""
        if not self.root.is_dir():
            return
        # What a file manager or a network file system leaves here is not ours, and no key.
        stale = {name for path in self.root.glob("*.tmp-*") if _is_key(name := path.name.partition(".tmp-")[0])}
        scratch = self.root / ".scratch"
        kept = [path.name for path in scratch.iterdir() if _is_key(path.name)] if scratch.is_dir() else []
        finished = {key for key in kept if self.has(key)}
        with self._disk_errors():
            for key in sorted(stale | finished):
                lock = self._lock_of(key)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    self._sweep(key)
                    if key in finished:
                        shutil.rmtree(scratch / key)
                finally:
                    lock.release()

    def _sweep(self, key: str) -> None:
        """Removes the temporaries of `key`; its lock is held, so whoever wrote them is dead."""
        for path in self.root.glob(f"{key}.tmp-*"):
            shutil.rmtree(path)

    def _temporary(self, key: str) -> Path:
        return self.root / f"{key}.tmp-{uuid.uuid4().hex}"

    def _lock_of(self, key: str) -> FileLock:
        if key not in self._locks:
            with self._disk_errors():
                (self.root / ".locks").mkdir(parents=True, exist_ok=True)
            self._locks[key] = FileLock(self.root / ".locks" / self.path(key).name)
        return self._locks[key]

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except HarnessError:
            raise
        except Exception as error:  # of native code too, which raises no OSError
            told = disk_error(error, self.root)
            if told is None:
                raise
            raise told from error


def disk_error(error: BaseException, root: Path) -> StoreFull | StoreForbidden | None:
    """Returns what to tell a person where a full disk or a forbidden folder caused `error`; None where neither did."""
    seen: BaseException | None = error
    while seen is not None:
        if _is_forbidden(seen, root):
            return StoreForbidden(
                f"cannot be written to: {getattr(seen, 'strerror', seen)}",
                where=str(root),
                hint="choose another folder with -o, or make this one writable; what is done in it is kept",
            )
        if shows_full(seen):
            told = disk_full(root, kept="what is done is kept")
            return StoreFull(told.message, where=told.where, hint=told.hint)
        seen = seen.__cause__ or seen.__context__
    return None


def _is_forbidden(error: BaseException, root: Path) -> bool:
    if not isinstance(error, OSError) or error.filename is None:
        return False
    path, root = Path(os.fsdecode(error.filename)).absolute(), root.absolute()
    above = path == root or path in root.parents
    # A file where the store's folder should be says ENOTDIR of what is below it and EEXIST of itself.
    in_the_way = error.errno == errno.ENOTDIR or (error.errno == errno.EEXIST and above)
    return (error.errno in FORBIDDEN or in_the_way) and (above or root in path.parents)


def _is_key(name: str) -> bool:
    return bool(name) and not name.startswith(".") and ".tmp-" not in name and Path(name).name == name


def _read_marker(folder: Path) -> dict[str, Any]:
    marker = json.loads((folder / MARKER).read_bytes())
    if marker["format"] != FORMAT:
        raise ValueError(f"format {marker['format']}")
    files: dict[str, Any] = marker["files"]
    for entry in files.values():
        if not isinstance(entry["size"], int) or not isinstance(entry["sha256"], str):
            raise TypeError("size or sha256")
    return files


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _seal(folder: Path) -> None:
    """Syncs every file and folder, then writes the marker."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise StepFailed(
                f"the step left a link, {path.relative_to(folder)}, whose target may change or go",
                hint="this is a fault of the plugin that made it: it has to copy the file",
            )
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": _sha256(path)}
            sync(path)
        else:
            sync(path)
    marker = folder / MARKER
    marker.write_text(json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n", encoding="utf-8")
    sync(marker)
    sync(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
