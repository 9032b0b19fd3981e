"""Permissions in a folder shared by several users: write access to the folder implies write access to its contents."""

from __future__ import annotations

import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def grant(path: Path, bits: int) -> None:
    """Adds permission bits to a file or folder owned by this user."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode | bits != mode:
        path.chmod(mode | bits)


def writable_by_others(folder: Path) -> int:
    """Returns the write permission bits of group and others for `folder`; 0 if only its owner can write."""
    return folder.stat().st_mode & _OTHERS_WRITE


def make_shared(folder: Path, root: Path) -> None:
    """Creates `folder` below `root`, with parents; everyone with write access to `root` gets write access to it."""
    if not folder.is_dir():
        if folder.parent != root:
            make_shared(folder.parent, root)
        folder.mkdir(exist_ok=True)
        grant(folder, writable_by_others(root))
