"""Reads the status of a run from its folder and its store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.execution.run_folder import PLAN, RunFolder
from harness.execution.status.live_metrics import LiveMetrics, last_metrics, live_metrics
from harness.execution.status.log import RunLog
from harness.execution.status.run_status import NodeState, NodeStatus, RunState, RunStatus
from harness.execution.status.time_left import RunningNode, time_left
from harness.execution.store import Store
from harness.planning.dependents import dependent_nodes
from harness.planning.node import Node, StepNode
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan
from harness.planning.titles import titled


def run_status(folder: Path, store: Store, *, plan: Plan | None = None, now: datetime | None = None) -> RunStatus:
    """Returns the status of the run in `folder`. Writes nothing and needs no plugins.

    plan: that of the run, if the caller has read it. now: the current time. Raises UsageError if the plan cannot be
    read.
    """
    return _Reading(folder, store, plan or read_plan(folder / PLAN), now or datetime.now(UTC)).status()


class _Reading:
    """Reads one status."""

    def __init__(self, folder: Path, store: Store, plan: Plan, now: datetime) -> None:
        self._folder = folder
        self._store = store
        self._plan = plan
        self._titled = titled(plan)
        self._now = now
        # Before the log and the store: a run that ends meanwhile is reported as running, not as killed.
        self._alive = store.is_in_use(plan.key)
        self._log = RunLog.of(RunFolder(folder).events())
        self._states = self._node_states()

    def status(self) -> RunStatus:
        state, reason = self._run_state()
        nodes = tuple(self._node(node) for node in self._plan.results)
        running = {
            node.key: RunningNode(
                seconds=node.seconds or 0.0, share=node.step / node.steps if node.step and node.steps else None
            )
            for node in nodes
            if node.state == "running"
        }
        left = [node.key for node in nodes if node.state in ("running", "ready", "waiting")]
        return RunStatus(
            folder=self._folder,
            protocol=self._plan.protocol,
            state=state,
            reason=reason,
            slots=self._log.slots,
            started=self._log.started,
            nodes=nodes,
            time_left=time_left(self._plan, left, self._log.seconds, running, self._log.slots),
        )

    def _run_state(self) -> tuple[RunState, str]:
        if self._alive and not self._log.ended:
            return "running", ""
        if self._log.ended:
            return ("stopped", self._log.stopped) if self._log.stopped else ("finished", "")
        if all(state == "done" for state in self._states.values()):
            return "finished", ""
        if self._log.started is None:
            return "stopped", "it has not started"
        return "stopped", "its process was killed"

    def _node_states(self) -> dict[str, NodeState]:
        """Returns the state of each node by key, parents first."""
        states: dict[str, NodeState] = {self._plan.base.key: "done"}
        failed = [self._plan.nodes[key] for key in self._log.errors if key in self._plan.nodes]
        blocked = {key for node in failed for key in dependent_nodes(node, self._plan)}
        for node in self._plan.results:
            parents = {states[parent] for parent in node.parents}
            if self._store.has(node.key):
                states[node.key] = "done"
            elif self._alive and node.key in self._log.running:
                states[node.key] = "running"
            elif node.key in self._log.errors:
                states[node.key] = "failed"
            elif node.key in blocked or parents & {"failed", "skipped"}:
                states[node.key] = "skipped"
            else:
                states[node.key] = "ready" if parents <= {"done"} else "waiting"
        del states[self._plan.base.key]
        return states

    def _node(self, node: Node) -> NodeStatus:
        state = self._states[node.key]
        start = self._log.running.get(node.key) if state == "running" else None
        seconds = self._log.seconds.get(node.key) if state == "done" else None
        if start is not None:
            seconds = max(0.0, (self._now - start.time).total_seconds())
        live = self._live(node, state)
        return NodeStatus(
            key=node.key,
            kind=node.kind,
            label=self._titled[node.key].label,
            seed=node.seed,
            state=state,
            started=None if start is None else start.time,
            seconds=seconds,
            step=live.step if state == "running" else None,
            steps=live.steps if state == "running" else None,
            metrics=live.metrics,
            worker="" if start is None else start.worker,
            error=self._log.errors.get(node.key, "") if state == "failed" else "",
        )

    def _live(self, node: Node, state: NodeState) -> LiveMetrics:
        if state == "running":
            return live_metrics(self._folder, self._store.unfinished(node.key), node.key)
        if state != "done":
            return LiveMetrics()
        if isinstance(node, StepNode):
            return last_metrics(self._store.path(node.key) / "metrics.jsonl")
        return LiveMetrics(metrics=self._scores(node))

    def _scores(self, node: Node) -> Mapping[str, float]:
        """Returns the scores of an evaluation, which another run may have computed."""
        if not isinstance(node, EvaluateNode) or node.key in self._log.scores:
            return self._log.scores.get(node.key, {})
        try:
            rows = parse_json((self._store.path(node.key) / "rows.json").read_bytes())
            return {f"{row['task']}/{row['metric']}": float(row["value"]) for row in rows if row["primary"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
