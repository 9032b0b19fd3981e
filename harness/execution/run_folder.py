"""The folder of a run: the protocol as given, the plan, the provenance, the event log, and the result tables."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness._util.disk import comes_of_full, disk_full
from harness._util.files import write_text
from harness._util.json_reading import parse_json
from harness._util.lock_kind import LockKind, wanted_kind
from harness._util.machine import machine
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
SCORE_CURVES = "score_curves.parquet"
LEADERBOARD = "leaderboard.json"
PREDICTION = "prediction.json"
REPORT = "report.html"
CONSOLE_LOG = "console.log"


def run_folder_of(run_root: Path, plan: Plan) -> Path:
    """Returns the path of the folder of the run of `plan`, which may not exist yet."""
    return run_root / plan.run_name


class RunFolder:
    """The folder of one run. All files except the logs are replaced atomically.

    Appending is atomic among the processes of one machine only, so on a network file system each has logs of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, protocol: Protocol, plan: Plan) -> None:
        """Writes the protocol and the plan unless they exist. Raises UsageError if they cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_shared(self.path, self.path.parent)
        except OSError as error:
            if comes_of_full(error):
                raise disk_full(self.path) from error
            raise UsageError(
                f"cannot be created: {error.strerror}", where=str(self.path), hint="use another folder with -o"
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
        """Appends one event with the time in UTC to the log and syncs it. Raises UsageError if it cannot be written."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        line = json.dumps({"time": now, "event": event, **data}, ensure_ascii=False)
        try:
            with self._own(EVENTS).open("ab+") as file:
                # A killed process may have left an incomplete line, so this event starts on a new line.
                torn = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
                if file.tell() == 0:
                    grant(Path(file.name), writable_by_others(self.path))
                file.write(b"\n" * torn + line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if comes_of_full(error):
                raise disk_full(self.path / EVENTS) from error
            raise UsageError(f"cannot be written: {error.strerror}", where=str(self.path / EVENTS)) from error

    def events(self) -> list[dict[str, Any]]:
        """Returns the events of all machines in order, without incomplete lines of killed processes."""
        logs = [_events_in(path.read_bytes()) for path in self.event_logs()]
        # The clocks of machines may differ, and a clock may be set back: the events of one machine keep their order.
        return list(heapq.merge(*logs, key=lambda event: str(event.get("time"))))

    def event_logs(self) -> list[Path]:
        """Returns the event log of each machine."""
        return sorted(self.path.glob(f"{Path(EVENTS).stem}*{Path(EVENTS).suffix}"))

    @property
    def console_log(self) -> Path:
        """Where this machine writes what libraries print."""
        return self._own(CONSOLE_LOG)

    def _own(self, name: str) -> Path:
        """Returns the path of a log, with this machine's name in it if others may write to the folder."""
        path = self.path / name
        shared = wanted_kind(self.path) is LockKind.LEASE
        return path.with_name(f"{path.stem}-{machine()}{path.suffix}") if shared else path

    def provenance(self) -> dict[str, Any]:
        """Returns the last provenance record, empty if there is none or it cannot be read."""
        try:
            read = parse_json((self.path / PROVENANCE).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Replaces the provenance record. Raises UsageError if it cannot be written."""
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=1) + "\n")

    def tables_written(self, done: int, metrics: Mapping[str, Any] | None = None) -> None:
        """Records that the current score table and leaderboard contain `done` nodes and the columns of `metrics`.

        Raises UsageError as `append`.
        """
        self.append("tables_written", done=done, metrics=metrics or {}, sha256=self._digests())

    def tables_hold(self, done: int, metrics: Mapping[str, Any] | None = None) -> bool:
        """Returns whether the score table and leaderboard contain `done` nodes and have not changed since they were
        written.

        metrics: the expected metrics of `tables_written`, None to ignore them.
        """
        written = [event for event in self.events() if event.get("event") == "tables_written"]
        try:
            digests = self._digests()
        except OSError:
            return False
        # Not only the last one: which that is, depends on the clocks.
        return any(
            event.get("done") == done
            and event.get("sha256") == digests
            and (metrics is None or event.get("metrics", {}) == metrics)
            for event in written
        )

    def _digests(self) -> dict[str, str]:
        return {name: hashlib.sha256((self.path / name).read_bytes()).hexdigest() for name in (SCORES, LEADERBOARD)}


def _events_in(log: bytes) -> list[dict[str, Any]]:
    found = []
    for line in log.splitlines():
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found
