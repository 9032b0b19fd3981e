"""Permissions in a folder that several users share: who may write to the folder may write to what lies in it."""

from __future__ import annotations

import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def grant(path: Path, bits: int) -> None:
    """Adds permissions to a file or folder of this user's."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode | bits != mode:
        path.chmod(mode | bits)


def writable_by_others(folder: Path) -> int:
    """Returns the permissions by which group and others may write to `folder`; 0 for a folder of one user's."""
    return folder.stat().st_mode & _OTHERS_WRITE


def make_shared(folder: Path, root: Path) -> None:
    """Makes `folder`, below `root`, and those between them, to be written to by whoever may write to `root`."""
    if not folder.is_dir():
        if folder.parent != root:
            make_shared(folder.parent, root)
        folder.mkdir(exist_ok=True)
        grant(folder, writable_by_others(root))
