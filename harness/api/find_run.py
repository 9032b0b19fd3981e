"""Finds a run folder by path, name or protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.execution.run_folder import LEADERBOARD, PLAN, RunFolder

_KEY_SUFFIX = re.compile(r"-[0-9a-f]{12}$")


def find_run_folder(run: str | None, runs: Path) -> Path:
    """Returns a run folder with a leaderboard.

    run: a path, a folder name in `runs`, or the name or file of a protocol for its latest run; None for the latest run.
    The latest run is the one with the most recent leaderboard. Raises UsageError with the available runs if there is
    none, and ProtocolError for a file that is not a protocol.
    """
    return _named_folder(run, runs, LEADERBOARD) or _latest_folder(run, runs, LEADERBOARD)


def find_begun_folder(run: str | None, runs: Path) -> Path:
    """Does the same as `find_run_folder`, but also accepts a folder that has a plan and no leaderboard yet."""
    return _named_folder(run, runs, PLAN) or find_run_folder(run, runs)


def find_watched_folder(run: str | None, runs: Path) -> Path:
    """Does the same as `find_run_folder` for runs with a plan: the latest run is the one with the most recent event."""
    return _named_folder(run, runs, PLAN) or _latest_folder(run, runs, PLAN, changed=_last_event)


def _named_folder(run: str | None, runs: Path, required: str) -> Path | None:
    """Returns the folder that `run` names, as a path or in `runs`, if the file `required` is in it."""
    folders = (Path(run), runs / run) if run is not None else ()
    return next((folder for folder in folders if (folder / required).is_file()), None)


def _latest_folder(run: str | None, runs: Path, required: str, *, changed: Callable[[Path], int] | None = None) -> Path:
    """Returns the folder that changed last among those with the file `required`.

    changed: returns when a folder changed; by default, when its file `required` did.
    """
    name = run if run is None else _protocol_name(run)
    folders = [path.parent for path in runs.glob(f"*/{required}")] if runs.is_dir() else []
    meant = [folder for folder in folders if name is None or _KEY_SUFFIX.sub("", folder.name) == name]
    if meant:
        when = changed or (lambda folder: _changed(folder / required))
        return max(meant, key=lambda folder: (when(folder), folder.name))
    if run is not None and Path(run).is_dir():
        raise UsageError(
            f"this folder has no {required}", where=run, hint="`harness run` writes one; run the protocol again"
        )
    names = ", ".join(sorted(folder.name for folder in folders))
    raise UsageError(
        "there is no run yet" if name is None else f"there is no run {name!r}",
        where=str(runs),
        hint=f"the runs here are {names}"
        if names
        else "start one with `harness run PROTOCOL`; HARNESS_RUNS sets the folder of runs",
    )


def _last_event(folder: Path) -> int:
    return max((_changed(log) for log in RunFolder(folder).event_logs()), default=0)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _protocol_name(run: str) -> str:
    """Returns the protocol's name if `run` is a protocol file, else `run`."""
    if not Path(run).is_file():
        return run
    from harness.protocol.source import read_source

    name = read_source(Path(run)).data.get("name")
    return name if isinstance(name, str) else run
