"""A run's own folder: the protocol as given, the plan, provenance, the log of events, and the tables made of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness._util.disk import comes_of_full, disk_full
from harness._util.files import write_text
from harness._util.json_reading import parse_json
from harness._util.permissions import grant, make_shared, writable_by_others
from harness.errors import UsageError
from harness.planning.plan import Plan
from harness.planning.serialization import plan_to_json, read_plan
from harness.protocol import Protocol

PROTOCOL = "protocol.yaml"
PLAN = "plan.json"
PROVENANCE = "provenance.json"
EVENTS = "events.jsonl"
SCORES = "scores.parquet"
LEADERBOARD = "leaderboard.json"
PREDICTION = "prediction.json"
REPORT = "report.html"
CONSOLE_LOG = "console.log"


def run_folder_of(run_root: Path, plan: Plan) -> Path:
    """Returns where the run of `plan` lies or will lie, below the folder of runs."""
    return run_root / plan.run_name


class RunFolder:
    """The folder of one run; everything in it but the log is replaced whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, protocol: Protocol, plan: Plan) -> None:
        """Writes the protocol and the plan where they are not there. Raises UsageError where that cannot be done."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_shared(self.path, self.path.parent)
        except OSError as error:
            if comes_of_full(error):
                raise disk_full(self.path) from error
            raise UsageError(
                f"cannot be made: {error.strerror}", where=str(self.path), hint="choose another folder with -o"
            ) from error
        for name, text in (
            (PROTOCOL, protocol.text),
            (PLAN, json.dumps(plan_to_json(plan), indent=1) + "\n"),
        ):
            if not (self.path / name).is_file() or (name == PLAN and not self._has_plan()):
                write_text(self.path / name, text)

    def _has_plan(self) -> bool:
        try:
            read_plan(self.path / PLAN)
        except UsageError:
            return False
        return True

    def append(self, event: str, **data: Any) -> None:
        """Appends one event to the log, with the time in UTC, and syncs it. Raises UsageError where it cannot."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **data}, ensure_ascii=False)
        try:
            with (self.path / EVENTS).open("ab+") as file:
                # A killed process may have left half a line: what follows it starts on one of its own.
                torn = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
                if file.tell() == 0:
                    grant(self.path / EVENTS, writable_by_others(self.path))
                file.write(b"\n" * torn + line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if comes_of_full(error):
                raise disk_full(self.path / EVENTS) from error
            raise UsageError(f"cannot be written: {error.strerror}", where=str(self.path / EVENTS)) from error

    def events(self) -> list[dict[str, Any]]:
        """Returns the events in order, less the lines that a kill tore."""
        path = self.path / EVENTS
        if not path.is_file():
            return []
        found = []
        for line in path.read_bytes().splitlines():
            try:
                event = parse_json(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
        return found

    def provenance(self) -> dict[str, Any]:
        """Returns what was last recorded, empty where nothing was or it cannot be read."""
        try:
            read = parse_json((self.path / PROVENANCE).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Replaces what is recorded. Raises UsageError where it cannot be written."""
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=1) + "\n")

    def tables_written(self, done: int, metrics: Mapping[str, Any] | None = None) -> None:
        """Notes that score table and leaderboard, as they are, are of `done` nodes and have the columns of `metrics`.

        Raises UsageError as `append`.
        """
        self.append("tables_written", done=done, metrics=metrics or {}, sha256=self._digests())

    def tables_hold(self, done: int, metrics: Mapping[str, Any] | None = None) -> bool:
        """Returns whether score table and leaderboard were made of `done` nodes and are as they were written.

        metrics: what `tables_written` has to have been given; None where that does not matter.
        """
        made = [event for event in self.events() if event.get("event") == "tables_written"]
        if not made or made[-1].get("done") != done:
            return False
        if metrics is not None and made[-1].get("metrics", {}) != metrics:
            return False
        try:
            return bool(made[-1].get("sha256") == self._digests())
        except OSError:
            return False

    def _digests(self) -> dict[str, str]:
        return {name: hashlib.sha256((self.path / name).read_bytes()).hexdigest() for name in (SCORES, LEADERBOARD)}
