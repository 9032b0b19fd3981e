"""Finds a run folder by path, name or protocol."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import UsageError
from harness.execution.run_folder import PLAN

_KEY_SUFFIX = re.compile(r"-[0-9a-f]{12}$")


def find_run_folder(run: str | None, runs: Path) -> Path:
    """Returns a run folder with a leaderboard.

    run: a path, a folder name in `runs`, or the name or file of a protocol for its latest run; None for the latest run.
    The latest run is the one with the most recent leaderboard. Raises UsageError with the available runs if there is
    none, and ProtocolError for a file that is not a protocol.
    """
    if run is not None:
        for folder in (Path(run), runs / run):
            if (folder / "leaderboard.json").is_file():
                return folder
        run = _protocol_name(run)
    folders = [path.parent for path in runs.glob("*/leaderboard.json")] if runs.is_dir() else []
    meant = [folder for folder in folders if run is None or _KEY_SUFFIX.sub("", folder.name) == run]
    if meant:
        return max(meant, key=lambda folder: ((folder / "leaderboard.json").stat().st_mtime_ns, folder.name))
    if run is not None and Path(run).is_dir():
        raise UsageError(
            "this folder has no leaderboard.json", where=run, hint="`harness run` writes one; run the protocol again"
        )
    names = ", ".join(sorted(folder.name for folder in folders))
    raise UsageError(
        "there is no run yet" if run is None else f"there is no run {run!r}",
        where=str(runs),
        hint=f"the runs here are {names}"
        if names
        else "start one with `harness run PROTOCOL`; HARNESS_RUNS sets the folder of runs",
    )


def _protocol_name(run: str) -> str:
    """Returns the protocol's name if `run` is a protocol file, else `run`."""
    if not Path(run).is_file():
        return run
    from harness.protocol.source import read_source

    name = read_source(Path(run)).data.get("name")
    return name if isinstance(name, str) else run


def find_begun_folder(run: str | None, runs: Path) -> Path:
    """Does the same as `find_run_folder`, but also accepts a folder that has a plan and no leaderboard yet."""
    for folder in (Path(run), runs / run) if run is not None else ():
        if (folder / PLAN).is_file():
            return folder
    return find_run_folder(run, runs)
