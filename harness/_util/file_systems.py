"""Which file systems lie on a network, and whether flock works on one."""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|fuse(\..+)?|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|panfs|pvfs2"
    r"|smb[23]|smbfs|vboxsf|virtiofs|vmhgfs|wekafs"
)
"""Types of file systems that other machines may see, by other mounts. Those of FUSE are among them: sshfs, S3."""


class Mount(NamedTuple):
    """A mounted file system. options: those of the mount and of the file system."""

    point: Path
    type: str
    options: frozenset[str]


def read_mounts(text: str) -> list[Mount]:
    """Returns the mounts in the text of Linux's `mountinfo`, in its order."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        own, file_system = before.split(" "), after.split(" ")
        if len(own) < 6 or not file_system[0]:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), own[4])
        options = frozenset([*own[5].split(","), *file_system[-1].split(",")])
        mounts.append(Mount(Path(point), file_system[0], options))
    return mounts


def mount_of(path: Path, mounts: list[Mount]) -> Mount | None:
    """Returns the mount on which `path`, an absolute path without links, lies."""
    over = [mount for mount in mounts if path.is_relative_to(mount.point)]
    # A later mount at the same point hides the earlier one.
    return max(reversed(over), key=lambda mount: len(mount.point.parts), default=None)


def is_on_network(path: Path) -> bool:
    """Returns whether `path` lies on a network file system without locks that hold between machines, as far as the
    system says; False where it does not (no Linux)."""
    try:
        mount = mount_of(path.resolve(), read_mounts(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")))
    except OSError:
        return False
    if mount is None or (mount.type == "lustre" and "flock" in mount.options):
        return False
    return _NETWORK.fullmatch(mount.type) is not None


def flock_excludes(folder: Path) -> bool:
    """Returns whether a file in `folder` that is locked cannot be locked again. Some file systems accept every lock,
    or none."""
    path = folder / f".flock-{uuid.uuid4().hex}"
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        second = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
        except OSError:
            return False
        finally:
            os.close(second)
    finally:
        os.close(first)
        path.unlink()
