"""Which machine this process runs on, and which of its processes are alive."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Returns a name for the processes that see each other's process ids: those of one machine since it was started,
    and of one container. Other machines have other names, even with the same host name."""
    parts = [socket.gethostname()]
    for path in (Path("/proc/sys/kernel/random/boot_id"), Path("/etc/machine-id")):
        try:
            parts.append(path.read_text(encoding="ascii").strip())
        except OSError:
            continue
    with suppress(OSError):  # not Linux
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_alive(pid: int) -> bool:
    """Returns whether this machine has a process `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
