"""A full disk: how errors show it, and how it is told."""

from __future__ import annotations

import errno
import os

from harness.errors import DiskFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TOLD_BY_LIBRARIES = (
    *(text.lower() for number in FULL for text in (f"os error {number}", os.strerror(number))),
    "pytorchstreamwriter failed writing",  # torch.save drops the reason
    ". unexpected pos ",  # torch.save again, as it closes the file that it could not write
)


def shows_full(error: BaseException) -> bool:
    """Returns whether `error` itself is a full disk's. Libraries that write from native code raise errors of their own,
    which are known by their text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    text = str(error).lower()
    return any(told in text for told in _TOLD_BY_LIBRARIES)


def comes_of_full(error: BaseException) -> bool:
    """Returns whether `error`, or one that led to it, is a full disk's."""
    seen: BaseException | None = error
    while seen is not None:
        if shows_full(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def disk_full(where: object, *, needed: int | None = None, kept: str = "") -> DiskFull:
    """Returns the error for a write below `where`. needed: bytes that the write takes, where that is known. kept: what
    of the work so far is not lost."""
    room = f"free about {format_bytes(needed)} there" if needed else "free some"
    return DiskFull(
        "no space is left on its disk",
        where=str(where),
        hint=f"{room}, then run the same command{f': {kept}' if kept else ''}",
    )


def format_bytes(count: int) -> str:
    """Returns a number of bytes as a person reads it, such as 7.5 GiB: the only unit of bytes in what is printed."""
    for size, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            value = count / size
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{count} bytes"
