"""The folder for unfinished work on a key, which survives a killed process.

Where locks are leases, each hold of the key's lock has a folder of its own in it, named by the number of the hold. It
begins as the folder of the hold before, which it replaces: a process whose lease was taken over no longer finds its
folder, so it cannot write between the states of the process that goes on.
"""

from __future__ import annotations

from pathlib import Path


def own_scratch(scratch: Path, number: int | None) -> Path:
    """Returns the folder of a hold in the key's folder `scratch`, which need not exist. number: `Lock.number`."""
    if number is None:
        return scratch
    own = scratch / str(number)
    earlier = max((other for other in _numbers(scratch) if other < number), default=None)
    if earlier is not None and not own.exists():
        (scratch / str(earlier)).rename(own)
    return own


def newest_scratch(scratch: Path) -> Path:
    """Returns the folder of the newest hold in the key's folder `scratch`; `scratch` itself without leases."""
    newest = max(_numbers(scratch), default=None)
    return scratch if newest is None else scratch / str(newest)


def _numbers(scratch: Path) -> list[int]:
    return [int(path.name) for path in scratch.iterdir() if path.name.isdecimal()] if scratch.is_dir() else []
