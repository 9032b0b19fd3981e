"""Messages over a pipe: four bytes of length, then JSON.

Runs in the sandbox too, so it uses only the standard library.
"""

from __future__ import annotations

import json
import os
from typing import Any


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of `data`. Raises OSError if the reader is gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_frame(descriptor: int, message: Any) -> None:
    """Writes `message` as one frame. Raises OSError if the reader is gone."""
    payload = json.dumps(message).encode("ascii")
    write_all(descriptor, len(payload).to_bytes(4, "big") + payload)


def read_exactly(descriptor: int, count: int) -> bytes:
    """Returns `count` bytes. Raises EOFError if the writer closes before that."""
    data = b""
    while len(data) < count:
        chunk = os.read(descriptor, count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def read_frame(descriptor: int) -> Any:
    """Returns the next message. Raises EOFError if the writer is gone, and ValueError for invalid JSON."""
    return json.loads(read_exactly(descriptor, int.from_bytes(read_exactly(descriptor, 4), "big")))
