"""`DONE.json`, the last file written to a result, with the size and sha256 of every other file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness._util.files import sync
from harness._util.json_reading import parse_json
from harness._util.permissions import grant
from harness.errors import StepFailed

FORMAT = 1
MARKER = "DONE.json"

_SETTLED = 2_000_000_000
"""Nanoseconds after which another write changes a file's time stamp on any file system."""


class DamagedResult(StepFailed):
    """A file of a stored result is missing or has changed, or a file was added."""

    def __init__(self, folder: Path, fault: str, *, label: str = "") -> None:
        runs = folder.parent.parent if folder.parent.name == "store" else folder.parent
        super().__init__(
            f"{f'the result of {label}' if label else 'this result'} is damaged in the store: {fault}",
            where=str(folder),
            hint=f"`harness store repair {runs}` removes it, and the same `harness run` computes it again",
        )
        self.folder = folder
        self.fault = fault

    def of(self, label: str) -> DamagedResult:
        """Returns the same error with the label of the node."""
        return DamagedResult(self.folder, self.fault, label=label)


class UnknownFormat(ValueError):
    """The marker was written by another version of the harness."""


def read_marker(folder: Path) -> dict[str, Any]:
    """Returns the size and the sha256 of each file, by its path in `folder`. Raises OSError or ValueError if the marker
    cannot be read."""
    marker = parse_json((folder / MARKER).read_bytes())
    try:
        if marker["format"] != FORMAT:
            raise UnknownFormat(
                f"it has format {marker['format']!r}; this version of the harness reads format {FORMAT}"
            )
        files: dict[str, Any] = marker["files"]
        for entry in files.values():
            if not isinstance(entry["size"], int) or not isinstance(entry["sha256"], str):
                raise TypeError("size or sha256")
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is not a marker: {error}") from error
    return files


def seal(folder: Path) -> None:
    """Syncs every file and folder, then writes the marker. Raises StepFailed if the folder contains a symbolic link."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise StepFailed(
                f"the step left a symbolic link, {path.relative_to(folder)}, whose target may change or disappear",
                hint="this is a bug in the plugin: it must copy the file instead",
            )
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
            sync(path)
        else:
            sync(path)
    marker = folder / MARKER
    marker.write_text(json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n", encoding="utf-8")
    # As readable as the umask allows; some libraries make files readable for the owner only.
    readable = marker.stat().st_mode & 0o444
    for name in files:
        grant(folder / name, readable)
    sync(marker)
    sync(folder)


class Fault(NamedTuple):
    """A fault of one file of a result. added: the file is not part of the result, which is complete without it."""

    name: str
    what: str
    added: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


def faults_of(folder: Path, below: str, digest: Callable[[Path], str]) -> Iterator[Fault]:
    """Yields the faults of the files in the folder `below` of a result; if `below` is empty, those of all files.

    digest: returns the sha256 of a file. A file that the marker does not list is also a fault, because it may
    affect how a model is loaded.
    """
    try:
        files = read_marker(folder)
    except FileNotFoundError:
        yield Fault(MARKER, "is missing")
        return
    except (OSError, ValueError) as error:
        yield Fault(MARKER, f"cannot be read: {reason(error)}")
        return
    for name, entry in sorted(files.items()):
        if below and not name.startswith(f"{below}/"):
            continue
        try:
            if not (folder / name).is_file():
                yield Fault(name, "is missing")
            elif digest(folder / name) != entry["sha256"]:
                yield Fault(name, "has changed since it was written")
        except OSError as error:
            yield Fault(name, f"cannot be read: {reason(error)}")
    present = {path.relative_to(folder).as_posix() for path in (folder / below).rglob("*") if not path.is_dir()}
    for name in sorted(present - set(files) - {MARKER}):
        yield Fault(name, "was added", added=True)


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digests:
    """The sha256 of files. A file is read again only if its inode, size or time stamps have changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], str] = {}

    def __call__(self, path: Path) -> str:
        """Returns the sha256 of a file."""
        status = path.stat()
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if signature in self._known:
            return self._known[signature]
        digest = sha256_of(path)
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED:
            self._known[signature] = digest
        return digest


def reason(error: Exception) -> str:
    """Returns a short reason why a file cannot be read."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
