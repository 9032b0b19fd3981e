"""Converts exceptions caused by a full disk or a folder without write permission to user-facing errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness._util.disk import disk_full, shows_full
from harness.errors import DiskFull, UsageError

FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class StoreFull(DiskFull):
    """The disk of the store is full: no further node can be computed."""


class StoreForbidden(UsageError):
    """The store is not writable: no node can be computed."""


def disk_error(error: BaseException, root: Path) -> StoreFull | StoreForbidden | None:
    """Returns a user-facing error if `error` was caused by a full disk or missing write permission, else None."""
    seen: BaseException | None = error
    while seen is not None:
        if _is_forbidden(seen, root):
            return StoreForbidden(
                f"cannot be written to: {getattr(seen, 'strerror', seen)}",
                where=str(root),
                hint="choose another folder with -o, or make this one writable; its results are preserved",
            )
        if shows_full(seen):
            full = disk_full(root, kept="finished steps are stored")
            return StoreFull(full.message, where=full.where, hint=full.hint)
        seen = seen.__cause__ or seen.__context__
    return None


def _is_forbidden(error: BaseException, root: Path) -> bool:
    if not isinstance(error, OSError) or error.filename is None:
        return False
    path, root = Path(os.fsdecode(error.filename)).absolute(), root.absolute()
    above = path == root or path in root.parents
    # If the store's folder is a file, access below it raises ENOTDIR and creating it raises EEXIST.
    in_the_way = error.errno == errno.ENOTDIR or (error.errno == errno.EEXIST and above)
    return (error.errno in FORBIDDEN or in_the_way) and (above or root in path.parents)
