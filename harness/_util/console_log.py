"""Sends what libraries print while steps run to a file of bounded size: the terminal shows only what a user needs."""

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
"""A log beyond this size loses its middle."""
HEAD_BYTES, TAIL_BYTES = 1024**2, 7 * 1024**2
_SECONDS_BETWEEN_LOOKS = 5.0


def lasting_stderr() -> TextIO | None:
    """Returns a stream to where standard error goes now, whatever becomes of it; None where it is no real file."""
    try:
        binary = os.fdopen(os.dup(sys.stderr.fileno()), "wb")
    except (OSError, ValueError):
        return None
    return _Lasting(binary, encoding="utf-8", errors="replace", line_buffering=True)


class _Lasting(io.TextIOWrapper):
    """Drops what cannot be written, so that a run outlives the terminal or the pipe that its progress went to."""

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
    """Has what is written to `descriptor` go nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


@contextmanager
def output_to(path: Path | None) -> Iterator[None]:
    """Appends what this process and its children print to `path`, or leaves it as it is where that is None.

    The descriptors are redirected, not only Python's streams: native code and children print past these. While it is
    written to and at the end, the file is shortened where it has grown beyond `MOST_BYTES`.
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
        with suppress(OSError):  # a log that cannot be written must not keep the terminal from being given back
            _flush()
        for descriptor, before in saved.items():
            os.dup2(before, descriptor)
            os.close(before)
        ended.set()
        watch.join()


def shorten(path: Path) -> None:
    """Cuts the middle out of a log that is larger than `MOST_BYTES`, and says in its place how much was cut.

    In place: writers that append to the open file continue behind what is left.
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
        with suppress(OSError):  # such as a full disk: the log is no reason to stop
            shorten(path)
        if last:
            return


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
