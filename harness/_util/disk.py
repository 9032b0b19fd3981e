"""Detects errors caused by a full disk and reports them."""

from __future__ import annotations

import errno
import os

from harness.errors import DiskFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LIBRARY_MESSAGES = (
    *(text.lower() for number in FULL for text in (f"os error {number}", os.strerror(number))),
    "pytorchstreamwriter failed writing",  # torch.save drops the reason
    ". unexpected pos ",  # torch.save, when it closes the file after a failed write
)


def shows_full(error: BaseException) -> bool:
    """Returns whether `error` itself is due to a full disk. Errors raised by native code of libraries are recognized by
    their text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    text = str(error).lower()
    return any(message in text for message in _LIBRARY_MESSAGES)


def comes_of_full(error: BaseException) -> bool:
    """Returns whether `error` or one of its causes is due to a full disk."""
    seen: BaseException | None = error
    while seen is not None:
        if shows_full(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def disk_full(where: object, *, needed: int | None = None, kept: str = "") -> DiskFull:
    """Returns the error for a write below `where`. needed: the size of the write in bytes, if known. kept: a note on
    which results are preserved."""
    room = f"free about {format_bytes(needed)} there" if needed else "free some"
    return DiskFull(
        "no space is left on its disk",
        where=str(where),
        hint=f"{room}, then run the same command{f': {kept}' if kept else ''}",
    )


def format_bytes(count: int) -> str:
    """Returns a human-readable size in binary units, such as 7.5 GiB."""
    for size, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            value = count / size
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{count} bytes"
