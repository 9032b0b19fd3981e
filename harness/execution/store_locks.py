"""The locks of a store, of the kind that all who use it share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness._util.lock_kind import LockKind, kind_of
from harness._util.locks import FileLocks, Locks
from harness.errors import UsageError

SECONDS = "HARNESS_LEASE_SECONDS"
"""Environment variable: after how many seconds a lease that is not renewed may be taken over."""


def locks_in(folder: Path, make: Callable[[Path], None], mode: int, *, record: bool = True) -> Locks:
    """Returns the locks in `folder`, which exists.

    make: creates a folder that all users of the store can write to. mode: the permission bits of new files. record:
    whether the kind of the locks is recorded in the folder, unless it is.

    Raises UsageError if this machine needs another kind of locks than those of the folder, or a setting is invalid.
    """
    if kind_of(folder, record=record) is LockKind.FLOCK:
        return FileLocks(folder, mode=mode)
    from harness._util.lease_files import SECONDS as DEFAULT
    from harness._util.lease_locks import LeaseLocks

    text = os.environ.get(SECONDS) or str(DEFAULT)
    try:
        lasts = float(text)
    except ValueError:
        lasts = 0.0
    if not 1 <= lasts <= 24 * 3600:
        raise UsageError(f"{text!r} is no number of seconds from 1 to 86400", where=SECONDS)
    return LeaseLocks(folder, make=make, mode=mode & 0o755, lasts=lasts)
