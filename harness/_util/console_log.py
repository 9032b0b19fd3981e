"""Redirects the output of libraries during steps to a file of bounded size, to keep the terminal readable."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

MOST_BYTES = 16 * 1024**2
"""The middle of a larger log is cut out."""
HEAD_BYTES, TAIL_BYTES = 1024**2, 7 * 1024**2
_SECONDS_BETWEEN_LOOKS = 5.0


def lasting_stderr() -> TextIO | None:
    """Returns a stream to the current target of standard error, unaffected by later redirection; None if it is not a
    real file."""
    try:
        binary = os.fdopen(os.dup(sys.stderr.fileno()), "wb")
    except (OSError, ValueError):
        return None
    return _Lasting(binary, encoding="utf-8", errors="replace", line_buffering=True)


class _Lasting(io.TextIOWrapper):
    """Drops output that cannot be written, so that a run survives the terminal or pipe of its progress output."""

    def write(self, text: str) -> int:
        with self._dropped():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropped():
            super().flush()

    @contextmanager
    def _dropped(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            discard(self.fileno())


def discard(descriptor: int) -> None:
    """Redirects `descriptor` to /dev/null."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


@contextmanager
def output_to(path: Path | None) -> Iterator[None]:
    """Appends the output of this process and its children to `path`; does nothing if it is None.

    The descriptors are redirected, not only Python's streams, which native code and children bypass. Whenever the file
    grows beyond `MOST_BYTES`, it is shortened.
    """
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    ended = threading.Event()
    watch = threading.Thread(target=_keep_short, args=(path, ended), daemon=True)
    watch.start()
    try:
        with path.open("ab") as log:
            for descriptor in saved:
                os.dup2(log.fileno(), descriptor)
        yield
    finally:
        with suppress(OSError):  # restore the terminal even if the log cannot be written
            _flush()
        for descriptor, before in saved.items():
            os.dup2(before, descriptor)
            os.close(before)
        ended.set()
        watch.join()


def shorten(path: Path) -> None:
    """Cuts the middle out of a log larger than `MOST_BYTES` and inserts a note with the number of bytes removed.

    The file is changed in place, so that writers in append mode continue at its new end.
    """
    with path.open("r+b") as log:
        size = log.seek(0, os.SEEK_END)
        if size <= MOST_BYTES:
            return
        log.seek(size - TAIL_BYTES)
        tail = log.read().partition(b"\n")[2]
        log.seek(HEAD_BYTES)
        log.truncate()
        cut = size - HEAD_BYTES - len(tail)
        log.write(f"\n[... {cut:,} bytes were cut here: the log is kept below {MOST_BYTES:,} bytes ...]\n".encode())
        log.write(tail)


def _keep_short(path: Path, ended: threading.Event) -> None:
    while True:
        last = ended.wait(_SECONDS_BETWEEN_LOOKS)
        with suppress(OSError):  # for example a full disk: do not stop the run because of the log
            shorten(path)
        if last:
            return


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
