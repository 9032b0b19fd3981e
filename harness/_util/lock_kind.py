"""Which kind of locks a folder has: flock, or leases where flock does not hold between machines.

All who use a folder need the same kind. The first one records it there, and the others follow the record: a machine
that has the folder on a local disk, and exports it, uses leases as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from harness._util.file_systems import flock_excludes, is_on_network
from harness.errors import UsageError

LOCKS = "HARNESS_LOCKS"
"""Environment variable: flock, lease or auto."""

RECORD = ".kind"
"""The file in a folder of locks that has their kind."""


class LockKind(StrEnum):
    """flock: locks of the operating system. lease: files that are renewed."""

    FLOCK = "flock"
    LEASE = "lease"


def wanted_kind(folder: Path, environment: Mapping[str, str] = os.environ) -> LockKind | None:
    """Returns the kind that HARNESS_LOCKS or the file system of `folder` asks for; None if any will do.

    Raises UsageError for another value of HARNESS_LOCKS.
    """
    asked = environment.get(LOCKS) or "auto"
    if asked == "auto":
        return LockKind.LEASE if is_on_network(folder) else None
    if asked not in set(LockKind):
        raise UsageError(f"{asked!r} is no kind of locks", where=LOCKS, hint=f"one of {', '.join(LockKind)}, auto")
    return LockKind(asked)


def kind_of(folder: Path, environment: Mapping[str, str] = os.environ, *, record: bool = True) -> LockKind:
    """Returns the kind of the locks in `folder`, which exists, and records it there unless it is.

    record: False to write nothing.

    Raises UsageError if another kind is recorded than this machine needs.
    """
    wanted = wanted_kind(folder, environment)
    recorded = _recorded(folder / RECORD)
    if recorded is None and not record:
        return wanted or LockKind.FLOCK
    if recorded is None:
        kind = wanted or (LockKind.FLOCK if flock_excludes(folder) else LockKind.LEASE)
        try:
            with (folder / RECORD).open("x", encoding="ascii") as file:
                file.write(f"{kind}\n")
            return kind
        except FileExistsError:  # another process was faster
            recorded = _recorded(folder / RECORD) or kind
    if wanted is not None and wanted != recorded:
        raise UsageError(
            f"the locks in this store are of the kind {recorded}, and this machine needs {wanted}"
            f" ({'a network file system' if LOCKS not in environment else LOCKS})",
            where=str(folder / RECORD),
            hint=_HINT[recorded],
        )
    return recorded


_HINT = {
    LockKind.FLOCK: "once no run uses the store, remove this file: the next run records the kind anew."
    f" Or set {LOCKS}=flock, if flock holds between all machines that use the store",
    LockKind.LEASE: f"unset {LOCKS}, so that this machine uses leases as well",
}


def _recorded(path: Path) -> LockKind | None:
    text = ""
    for _ in range(50):
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        if text:
            break
        time.sleep(0.1)  # created, and not written yet
    try:
        return LockKind(text)
    except ValueError:
        raise UsageError(
            f"{text[:40]!r} is no kind of locks",
            where=str(path),
            hint="once no run uses the store, remove this file",
        ) from None
