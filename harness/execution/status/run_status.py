"""The status of a run and of its nodes, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from harness.execution.progress import shown_metrics
from harness.planning.titles import title_of

RunState = Literal["running", "stopped", "finished"]
NodeState = Literal["running", "done", "ready", "waiting", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """One node of a run.

    state: `ready` if everything that the node needs is in the store, `waiting` if not, `skipped` if something that it
    needs failed. label: as on progress lines. started: None for a node that this run has not started. seconds: since
    the start of a running node; the duration of a node that this run computed; else None. step, steps: progress of a
    running node, None if unknown. metrics: the last ones of a step; the scores of an evaluation. worker: the process
    that computes the node, if the engine names it. error: of a failed node.
    """

    key: str
    kind: str
    label: str
    seed: int
    state: NodeState
    started: datetime | None = None
    seconds: float | None = None
    step: int | None = None
    steps: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    worker: str = ""
    error: str = ""

    @property
    def title(self) -> str:
        """The title, as on progress lines."""
        return title_of(self.kind, self.label, self.seed)

    @property
    def shown_metrics(self) -> str:
        """The reward, or the first metrics if there is none, as text."""
        return shown_metrics(self.metrics)


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """The time that the rest of a run takes on its slots, estimated from the durations so far.

    seconds: until the end of the run. critical_seconds: of the longest chain of dependent nodes, which no number of
    slots shortens. critical_path: the keys of this chain. unmeasured: by kind, the number of nodes without a duration
    to estimate from, which count as 0 s.
    """

    seconds: float
    critical_seconds: float
    critical_path: tuple[str, ...]
    unmeasured: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run at one moment.

    state: `running` only while the process that runs it lives; `finished` also if nodes failed. reason: why a run
    stopped. slots: how many nodes may run at once. started: the last start of the run, None if it never started.
    nodes: in the order of the plan, without the base model. time_left: None if nothing is left to compute, or if no
    duration is known.
    """

    folder: Path
    protocol: str
    state: RunState
    reason: str
    slots: int
    started: datetime | None
    nodes: tuple[NodeStatus, ...]
    time_left: TimeLeft | None

    def nodes_in(self, state: NodeState) -> tuple[NodeStatus, ...]:
        """Returns the nodes in one state."""
        return tuple(node for node in self.nodes if node.state == state)

    @property
    def counts(self) -> dict[NodeState, int]:
        """The number of nodes in each state."""
        found = Counter(node.state for node in self.nodes)
        return {state: found[state] for state in get_args(NodeState)}

    @property
    def slots_in_use(self) -> int:
        """The number of slots that compute a node."""
        return self.counts["running"]

    def to_json(self) -> dict[str, Any]:
        """Returns the status as JSON data, with times in ISO 8601 and durations in seconds."""
        nodes = [asdict(node) | {"started": _iso(node.started)} for node in self.nodes]
        return {
            "run": str(self.folder),
            "protocol": self.protocol,
            "state": self.state,
            "reason": self.reason,
            "started": _iso(self.started),
            "slots": self.slots,
            "slots_in_use": self.slots_in_use,
            "counts": self.counts,
            "time_left": None if self.time_left is None else asdict(self.time_left),
            "nodes": nodes,
        }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds")
