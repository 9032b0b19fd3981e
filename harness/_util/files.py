"""Atomic writes of files and folders."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness._util.disk import comes_of_full, disk_full
from harness.errors import HarnessError, UsageError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file in the same folder; if the block succeeds, it is fsynced and renamed to `path`.

    Raises DiskFull if the disk is full, UsageError if the folder is not writable. After a failure an existing file at
    `path` is unchanged.
    """
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except HarnessError:
        raise
    except Exception as error:
        if comes_of_full(error):
            raise disk_full(path) from error
        if not isinstance(error, OSError):
            raise
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="check the permissions of the folder, and that the path is not a folder",
        ) from error


@contextmanager
def atomic_directory(target: Path, *, temporary: Path | None = None) -> Iterator[Path]:
    """Yields an empty folder beside `target`; it is renamed to `target` if the block succeeds, else removed.

    `target` must be missing or an empty folder. temporary: the folder, if the caller has created it. The block must
    sync the files that it writes. If the block removes the folder, nothing is published. OSErrors propagate.
    """
    if temporary is None:
        temporary = temporary_beside(target)
        temporary.mkdir(parents=True)
    try:
        yield temporary
        if temporary.exists():
            temporary.rename(target)
            sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # no effect after the rename


def temporary_beside(path: Path, *, hidden: bool = True) -> Path:
    """Returns a unique path in the folder of `path`. It is not created."""
    return path.with_name(f"{'.' * hidden}{path.name}.tmp-{uuid.uuid4().hex}")


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes several files; no target is replaced before all are written. Raises as `replacing` does."""
    with ExitStack() as together:
        for path, content in files.items():
            together.enter_context(replacing(path)).write_bytes(content)


def sync(path: Path) -> None:
    """Calls fsync on a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes `text` atomically as UTF-8, without newline translation. Raises as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
