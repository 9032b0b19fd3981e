"""Files and folders that appear whole or not at all."""

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
    """Yields a temporary sibling to write to; it is fsynced and renamed to `path` when the block ends well.

    Raises DiskFull where the disk is, UsageError where the folder cannot be written to. On any failure the file that
    stood at `path` is untouched.
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
            hint="may you write here, and is it a folder's place?",
        ) from error


@contextmanager
def atomic_directory(target: Path, *, temporary: Path | None = None) -> Iterator[Path]:
    """Yields an empty sibling of `target` to fill; it is renamed to `target` when the block ends well, else removed.

    temporary: the sibling, if the caller has made it. `target` is missing or an empty folder. The block syncs the files
    that it writes; a block that removes the sibling publishes nothing. What the disk raises passes through.
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
        shutil.rmtree(temporary, ignore_errors=True)  # gone already where it was renamed


def temporary_beside(path: Path, *, hidden: bool = True) -> Path:
    """Returns a path beside `path` that nobody else uses. It is not created."""
    return path.with_name(f"{'.' * hidden}{path.name}.tmp-{uuid.uuid4().hex}")


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes files of which none is put into its place before all have been written. Raises as `replacing` does."""
    with ExitStack() as together:
        for path, content in files.items():
            together.enter_context(replacing(path)).write_bytes(content)


def sync(path: Path) -> None:
    """Returns once the disk holds the file's bytes, or the folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8 with newlines as they are, atomically. Raises UsageError as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
