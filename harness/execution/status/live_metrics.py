"""The progress and last metrics of nodes, as files that other processes read while a run is going on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness._util.files import temporary_beside
from harness._util.json_reading import parse_json

PROGRESS = "progress.json"
"""A file of the run folder: the progress of the nodes that run now, by key."""

_SECONDS_BETWEEN_WRITES = 0.5
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class LiveMetrics:
    """`step` of `steps`, None where unknown, and the metrics of the last step that has any."""

    step: int | None = None
    steps: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


class ProgressFile:
    """Writes the progress of a runner's nodes. A failed write is ignored: the file is for display only."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._nodes: dict[str, dict[str, Any]] = {}
        self._written = -_SECONDS_BETWEEN_WRITES

    def update(self, key: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Sets the progress of a node, and writes the file unless it was written a moment ago."""
        self._nodes[key] = {"step": done, "steps": total, "metrics": dict(metrics)}
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self._write()

    def remove(self, key: str) -> None:
        """Removes a node that has ended, and the file with the last one."""
        if self._nodes.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        temporary = temporary_beside(self._path)
        try:
            if not self._nodes:
                self._path.unlink(missing_ok=True)
                return
            temporary.write_text(json.dumps(self._nodes), encoding="utf-8")
            temporary.replace(self._path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def live_metrics(folder: Path, scratch: Path, key: str) -> LiveMetrics:
    """Returns the progress of a running node.

    folder: of the run, whose runner writes what its workers report. scratch: the node's folder for unfinished work,
    where trainings write metrics even if the engine reports no progress.
    """
    reported = _reported(folder / PROGRESS).get(key)
    logged = last_metrics(scratch / "metrics.jsonl")
    if not isinstance(reported, dict):
        return logged
    step, steps, metrics = reported.get("step"), reported.get("steps"), reported.get("metrics")
    if logged.step is not None and (not isinstance(step, int) or logged.step >= step):
        return LiveMetrics(step=logged.step, steps=steps, metrics=logged.metrics)
    return LiveMetrics(step=step, steps=steps, metrics=numbers(metrics))


def last_metrics(path: Path) -> LiveMetrics:
    """Returns the last complete line of a `metrics.jsonl`; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return LiveMetrics()
    for line in reversed(lines):
        with suppress(ValueError):
            row = parse_json(line)
            if isinstance(row, dict):
                step = row.pop("step", None)
                return LiveMetrics(step=step if isinstance(step, int) else None, metrics=numbers(row))
    return LiveMetrics()


def numbers(data: Any) -> dict[str, float]:
    """Returns the entries of a mapping that are numbers; empty if it is none."""
    found = data.items() if isinstance(data, dict) else ()
    return {str(name): float(value) for name, value in found if isinstance(value, int | float)}


def _reported(path: Path) -> dict[str, Any]:
    try:
        read = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
