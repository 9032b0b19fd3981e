"""What the event log of a run says about its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Start:
    """The start of a node. worker: empty if the engine does not name it."""

    time: datetime
    worker: str = ""


@dataclass(kw_only=True)
class RunLog:
    """The events of a run.

    started: the last start of the run. ended: whether it has ended since. stopped: why it ended early, empty if it did
    not. slots: how many nodes may run at once. running: by key, the nodes that started and have not ended. errors: by
    key, of the nodes that failed since the last start. seconds: by key, the durations of computed nodes. scores: by
    key, those of evaluations.
    """

    started: datetime | None = None
    ended: bool = False
    stopped: str = ""
    slots: int = 1
    running: dict[str, Start] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]]) -> RunLog:
        """Returns the log of some events, in order. Events and fields that it does not know are ignored."""
        log = cls()
        for event in events:
            log._add(event)
        return log

    def _add(self, event: Mapping[str, Any]) -> None:
        name, key = event.get("event"), str(event.get("key", ""))
        if name == "run_started":
            self.started, self.slots = _time(event), int(event.get("slots") or 1)
            self.running, self.errors = {}, {}  # a killed process leaves nodes that started and never ended
            self.ended, self.stopped = False, ""
        elif name == "run_finished":
            self.ended, self.stopped, self.running = True, str(event.get("stopped") or ""), {}
        elif name == "step_started":
            self.running[key] = Start(time=_time(event), worker=str(event.get("worker") or ""))
            self.errors.pop(key, None)
            self.ended = False  # two processes may run the same protocol, and the first has ended
        elif name == "step_finished":
            self.running.pop(key, None)
            if event.get("error"):
                self.errors[key] = str(event["error"])
            else:
                self.seconds[key] = float(event.get("seconds") or 0.0)
        elif name == "checkpoint_scored":
            self.scores[key] = dict(event.get("scores") or {})


def _time(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(event["time"])).astimezone(UTC)
