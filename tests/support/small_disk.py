"""A real disk of a few megabytes that can be filled: a tmpfs in a mount namespace of its own, which ends with the
process that made it."""

import os
import shutil
from pathlib import Path

from warm_command import WarmCommand

PAGE = 4096


class SmallDisk:
    """Mounted on the empty folder `place`, for `harness` alone; `files` is where this process sees what is on it.

    Raises OSError, with what was tried, where this machine lets nobody mount one.
    """

    def __init__(self, place, *, size, plugins=()):
        self.place = place
        self.harness = _first_that_starts(place, size, plugins)
        self.files = Path(f"/proc/{self.harness.pid}/root{place}")
        self._filler = self.files / "filler"

    def leave(self, room):
        """Fills the disk up to `room` bytes, rounded down to pages."""
        self.free()
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * PAGE)
            except OSError:
                size = filler.tell()
        os.truncate(self._filler, size // PAGE * PAGE - room // PAGE * PAGE)

    def free(self):
        self._filler.unlink(missing_ok=True)

    def close(self):
        self.harness.close()


def _first_that_starts(place, size, plugins):
    mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    ways = [
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, place],
        ["unshare", "--mount", "sh", "-c", mount, place],
        ["bwrap", "--dev-bind", "/", "/", "--size", size, "--tmpfs", place],
    ]
    told = []
    for way in ways:
        if shutil.which(way[0]) is None:
            told.append(f"{way[0]}: not installed")
            continue
        try:
            return WarmCommand(within=way, plugins=plugins)
        except OSError as error:
            told.append(f"{' '.join(map(str, way[:3]))}: {error}")
    raise OSError("; ".join(told))
