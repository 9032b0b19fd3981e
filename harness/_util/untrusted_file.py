"""Reads untrusted files: only regular files of limited size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import UsageError

LARGEST = 500_000_000


def read_untrusted(path: Path) -> bytes:
    """Returns the content of a regular file. Raises UsageError for a file that is too large or unreadable, and for
    pipes and devices, on which reading could block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UsageError("this is not a regular file", where=str(path))
            if status.st_size > LARGEST:
                raise UsageError(f"this file is larger than {LARGEST:,} bytes", where=str(path))
            return file.read(LARGEST)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def refuse_special_files(folder: Path) -> None:
    """Raises UsageError if `folder` contains a link, a pipe, a socket or a device."""
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "not a regular file"
            raise UsageError(f"this is {kind}", where=str(path), hint="a run folder may contain only regular files")
