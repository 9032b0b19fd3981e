"""Lease files: what they hold, how they are read and written, and whether the owner of one is alive.

A lease file names its owner. While the owner lives, a thread of it changes the file every few seconds. Another process
takes the owner for dead when the file has not changed for as long as the file itself says, by that process's own
monotonic clock. The clocks of two machines are never compared. The owner is dead at once if it ran on this machine and
its process is gone.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from harness._util.machine import is_alive, machine

SECONDS = 60.0
"""How long a lease lasts by default without being renewed."""

BEATS = 12
"""How often a lease is renewed while it lasts."""

_SIZE = 512
"""Bytes of a lease file: always the same, so that it can be rewritten in place."""

State = Literal["free", "held", "unknown"]


class Files(Protocol):
    """The file operations that leases need. Tests replace them."""

    def names(self, folder: Path, *, fresh: bool = False) -> list[str]:
        """Returns the names in a folder. fresh: not from the cache of a network file system."""

    def read(self, path: Path) -> bytes | None:
        """Returns the content, None if there is no such file."""

    def create(self, path: Path, content: bytes) -> None:
        """Creates a file. Raises FileExistsError; of several processes one succeeds."""

    def rewrite(self, path: Path, content: bytes) -> None:
        """Overwrites a file in place. Raises FileNotFoundError."""

    def remove(self, path: Path) -> None:
        """Removes a file if it exists."""


class OsFiles:
    """Files of the operating system. mode: the permission bits of new ones."""

    def __init__(self, mode: int = 0o644) -> None:
        self._mode = mode

    def names(self, folder: Path, *, fresh: bool = False) -> list[str]:
        try:
            if fresh:
                # NFS clients cache the names of a folder for up to a minute, until they change it themselves.
                probe = folder / f".probe-{uuid.uuid4().hex}"
                os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                probe.unlink()
            return [path.name for path in folder.iterdir()]
        except FileNotFoundError:
            return []

    def read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()  # opening a file asks the server whether it has changed
        except FileNotFoundError:
            return None

    def create(self, path: Path, content: bytes) -> None:
        self._write(path, content, os.O_CREAT | os.O_EXCL)

    def rewrite(self, path: Path, content: bytes) -> None:
        self._write(path, content, 0)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes, flags: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | flags, self._mode)
        try:
            if flags:
                os.fchmod(descriptor, self._mode)  # other users of the store have to read it, whatever the umask
            os.write(descriptor, content)
        finally:
            os.close(descriptor)  # sends it to the server; to sync it as well may take seconds on a busy disk


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds a lease. since: for people, by the clock of the owner."""

    token: str
    host: str
    machine: str
    pid: int
    lasts: float
    since: str

    @classmethod
    def this_process(cls, lasts: float, *, on: str = "", pid: int = 0) -> Owner:
        """Returns a new owner. on, pid: another machine and process, in tests."""
        return cls(
            token=uuid.uuid4().hex,
            host=os.uname().nodename[:128],
            machine=on or machine(),
            pid=pid or os.getpid(),
            lasts=lasts,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def __str__(self) -> str:
        return f"process {self.pid} of {self.host}"


def read_lease(content: bytes) -> tuple[Owner | None, bool]:
    """Returns the owner named in a lease file, None if it is not complete, and whether the lease was given back."""
    try:
        record: dict[str, Any] = json.loads(content)
        del record["beat"]
        released = bool(record.pop("released"))
        return Owner(**record), released
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, False


@dataclass(eq=False)
class LeaseFile:
    """A lease file of this process. A forked process leaves it as it is."""

    path: Path
    owner: Owner
    files: Files
    _beat: int = 0
    _ended: bool = False
    _process: int = field(default_factory=os.getpid)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def create(self) -> None:
        """Creates the file. Raises FileExistsError."""
        self.files.create(self.path, self._content())

    def beat(self) -> None:
        """Changes the file, to show that its owner is alive. Raises OSError."""
        with self._writing:
            if not self._ended:
                self._beat += 1
                self.files.rewrite(self.path, self._content())

    def release(self) -> None:
        """Marks the lease as given back. Raises OSError."""
        if self._process == os.getpid():
            with self._writing:
                self._ended = True
                self.files.rewrite(self.path, self._content())

    def remove(self) -> None:
        """Removes the file. Raises OSError."""
        if self._process == os.getpid():
            with self._writing:
                self._ended = True
                self.files.remove(self.path)

    def _content(self) -> bytes:
        record = {**asdict(self.owner), "beat": self._beat, "released": self._ended}
        return json.dumps(record).encode().ljust(_SIZE - 1) + b"\n"


@dataclass
class _Sight:
    content: bytes
    since: float
    changed: bool = False


class Watch:
    """What this process has seen of the leases of others, and when, by its own monotonic clock."""

    def __init__(
        self,
        files: Files,
        *,
        clock: Callable[[], float] = time.monotonic,
        on: str = "",
        alive: Callable[[int], bool] = is_alive,
    ) -> None:
        self._files = files
        self._clock = clock
        self._machine = on or machine()
        self._alive = alive
        self._seen: dict[Path, _Sight] = {}

    def state(self, path: Path) -> tuple[State, Owner | None]:
        """Reads a lease file and returns whether its lease is held, and by whom. A file that is gone is unknown.

        `unknown`: it has not been watched for long enough to tell.
        """
        asked = self._clock()
        try:
            content = self._files.read(path)
        except PermissionError:
            raise
        except OSError:  # such as a server that does not answer
            content = None
        now = self._clock()
        owner, released = (None, False) if content is None else read_lease(content)
        if content is None or released:
            self._seen.pop(path, None)
            return ("free" if released else "unknown"), None
        lasts = SECONDS if owner is None else owner.lasts
        sight = self._seen.setdefault(path, _Sight(content, now))
        if sight.content != content:
            self._seen[path] = sight = _Sight(content, now, changed=True)
        elif now - asked > lasts / BEATS:
            sight.since = now  # the file system stood still, for the owner as well
        here = owner is not None and owner.machine == self._machine
        if (owner is not None and here and not self._alive(owner.pid)) or now - sight.since >= lasts:
            return "free", owner
        return ("held" if here or sight.changed else "unknown"), owner


class Heart:
    """A thread that changes the lease files of this process while they are held."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # a child process renews no lease of its parent

    def _reset(self) -> None:
        self._kept: dict[LeaseFile, float] = {}  # when it is to be renewed next
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def keep(self, lease: LeaseFile) -> None:
        """Begins to renew a lease."""
        with self._changed:
            self._kept[lease] = time.monotonic() + lease.owner.lasts / BEATS
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self, lease: LeaseFile) -> None:
        """Ends to renew a lease."""
        with self._changed:
            self._kept.pop(lease, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                due = [lease for lease, when in self._kept.items() if when <= now]
                for lease in due:
                    self._kept[lease] = now + lease.owner.lasts / BEATS
                if not due:
                    self._changed.wait(max(min(self._kept.values()) - now, 0) if self._kept else None)
            for lease in due:
                try:
                    lease.beat()
                except OSError:
                    continue  # tried again with the next beat


HEART = Heart()
"""The one of this process."""
