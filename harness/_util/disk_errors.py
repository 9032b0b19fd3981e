"""Errors of a disk on the way: what to tell a person where a full disk or a forbidden folder caused an exception."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness._util.disk import disk_full, shows_full
from harness.errors import DiskFull, UsageError

FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class StoreFull(DiskFull):
    """The disk of the store is full: no further node can be made."""


class StoreForbidden(UsageError):
    """The store cannot be written to: no node can be made."""


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
