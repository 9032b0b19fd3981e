"""An exclusive lease: a folder of numbered files, of which the highest counts.

Who finds the highest lease given back, or its owner dead, creates the file with the next number, and of several that
try one succeeds. Numbers are not used again, and an owner that was taken for dead cannot undo the take-over: all that
it writes is its own file. It learns of it by `check`, which looks for a higher number.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness._util.lease_files import HEART, Files, Heart, LeaseFile, Owner, State, Watch

KEPT = 16
"""Old files that stay: a process that acts on a view of the folder so many holds old still finds its number used."""


class Lease:
    """The lease of one folder.

    make: creates the folder, unless it exists. owner: makes the owner of a new hold. heart: renews the lease while it
    is held; None: the caller does, by `held`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        files: Files,
        watch: Watch,
        make: Callable[[Path], None],
        owner: Callable[[], Owner],
        heart: Heart | None = HEART,
        kept: int = KEPT,
    ) -> None:
        self._folder = folder
        self._files = files
        self._watch = watch
        self._make = make
        self._owner = owner
        self._heart = heart
        self._kept = kept
        self.held: LeaseFile | None = None
        self.number = 0

    def try_acquire(self) -> State:
        """Acquires the lease if it is free. Returns `free` if it was, otherwise the state that prevents it."""
        newest = self.newest()
        if newest:
            state, _ = self._watch.state(self._path(newest))
            if state != "free":
                return state
        else:
            self._make(self._folder)
        own = newest + 1
        lease = LeaseFile(self._path(own), self._owner(), self._files)
        try:
            lease.create()
        except FileExistsError:
            return "unknown"  # another process was faster
        try:
            numbers = self._numbers()
            if max(numbers, default=own) > own:
                lease.remove()  # the number was used before: `newest` was very old
                return "unknown"
        except BaseException:
            lease.release()
            raise
        self.held, self.number = lease, own
        if self._heart is not None:
            self._heart.keep(lease)
        for old in numbers:
            if old < own - self._kept:
                self._files.remove(self._path(old))
        return "free"

    def release(self) -> None:
        """Gives the lease back."""
        lease, self.held = self.held, None
        if lease is None:
            return
        if self._heart is not None:
            self._heart.drop(lease)
        with suppress(FileNotFoundError):  # taken over, and removed since
            lease.release()

    def is_owner(self) -> bool:
        """Returns whether the lease was acquired here, and no other process has taken it over since."""
        return self.held is not None and self.newest(fresh=True) == self.number

    def newest(self, *, fresh: bool = False) -> int:
        """Returns the number of the newest hold, 0 if there was none."""
        return max(self._numbers(fresh=fresh), default=0)

    def state(self) -> tuple[State, Owner | None]:
        """Returns whether the lease is held, and its newest owner."""
        newest = self.newest()
        return self._watch.state(self._path(newest)) if newest else ("free", None)

    def _numbers(self, *, fresh: bool = False) -> list[int]:
        return [int(name) for name in self._files.names(self._folder, fresh=fresh) if name.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / str(number)
