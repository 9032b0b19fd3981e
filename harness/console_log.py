"""What libraries print while steps run goes to a file of the run, so that the terminal keeps to what a person needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


def lasting_stderr() -> TextIO | None:
    """Returns a stream to where standard error goes now, whatever becomes of it; None where it is no real file."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None


@contextmanager
def output_to(path: Path | None) -> Iterator[None]:
    """Appends what this process and its children print to `path`, or leaves it as it is where that is None.

    The descriptors are redirected, not only Python's streams: native code and children print past these.
    """
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
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


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
