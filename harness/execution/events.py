"""Reports events of nodes to the run's log and to observer plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution.progress import Reporter, never_varied
from harness.execution.run_folder import RunFolder
from harness.execution.status.live_metrics import ProgressFile
from harness.execution.store import Store
from harness.execution.undamaged import Undamaged, undamaged_target
from harness.planning.node import Node, StepNode
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan
from harness.plugin.events import CheckpointScored, StepFinished, StepProgress, StepStarted
from harness.plugin.interfaces import WAITING_FOR

if TYPE_CHECKING:
    from harness.plugin.registry import Registry


class NodeEvents:
    """The events of one run."""

    def __init__(self, folder: RunFolder, plan: Plan, registry: Registry, store: Store, reporter: Reporter) -> None:
        self._folder = folder
        self._plan = plan
        self._registry = registry
        self._store = store
        self._reporter = reporter
        self._progress = ProgressFile(folder.path)
        self._undamaged: dict[str, Undamaged] = {}
        self._failed_observers: set[tuple[str, str]] = set()

    def tell(self, hook: str, event: object) -> None:
        """Notifies the observers. The first exception of an observer's hook is reported as a warning."""
        for label, message in self._registry.notify(hook, event).items():
            if (label, hook) not in self._failed_observers:
                self._failed_observers.add((label, hook))
                self._reporter.note(f"warning: an observer failed: {label}: {hook}: {message}")

    def started(self, node: Node, worker: str = "") -> None:
        """Reports that the node has started. worker: the name of the process, empty for this one."""
        named = {"key": node.key, "kind": node.kind, "label": node.label}
        place = {"worker": worker} if worker else {}
        self._folder.append("step_started", **named, seed=node.seed, **place)
        self.tell("harness_step_started", StepStarted(run=self._folder.path, **named, seed=node.seed))

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Reports `done` of the node's `total` steps, with the metrics of this step, to observers and `harness status`.

        Does nothing if the metrics only say what the step waits for.
        """
        if any(name.startswith(WAITING_FOR) for name in metrics):
            return
        self._progress.update(node.key, done, total, metrics)
        named = {"key": node.key, "kind": node.kind, "label": node.label}
        self.tell(
            "harness_step_progress",
            StepProgress(run=self._folder.path, **named, seed=node.seed, step=done, total=total, metrics=dict(metrics)),
        )

    def warn_if_undamaged(self, node: Node) -> None:
        """Warns if the node is a recovery whose target is not damaged."""
        undamaged = undamaged_target(node, self._plan, self._store)
        if undamaged is None:
            return
        self._undamaged[node.key] = undamaged
        self._reporter.note(f"warning: {undamaged}")
        self._folder.append("undamaged_target", key=node.key, **asdict(undamaged))

    def finished(self, node: Node, seconds: float, error: HarnessError | None) -> None:
        """Reports that the node was computed or has failed, and the scores of an evaluation."""
        report = {}
        if error is None and isinstance(node, StepNode):
            if node.key not in self._undamaged:  # the target's scores may have come while the node was computed
                self.warn_if_undamaged(node)
            report = self._store.read_json(node.key, "result.json")["report"]
            for name, rounds in (report.get("reward_never_varied") or {}).items():
                self._reporter.note(f"{node.label}: {never_varied(name, rounds)}: nothing was learned from them")
            if node.key in self._undamaged:
                report |= {"undamaged_target": asdict(self._undamaged[node.key])}
            self._warn_of_unjudgeable(report.get("unjudgeable"))
        self._progress.remove(node.key)
        message = "" if error is None else str(error)
        named = {"key": node.key, "kind": node.kind, "label": node.label}
        self._folder.append("step_finished", **named, seed=node.seed, seconds=round(seconds, 3), error=message)
        self.tell(
            "harness_step_finished",
            StepFinished(run=self._folder.path, **named, seed=node.seed, seconds=seconds, error=message, report=report),
        )
        if error is None and isinstance(node, EvaluateNode):
            self._scored(node)

    def _warn_of_unjudgeable(self, domains: Any) -> None:
        """Warns of training rows in a step's report that were dropped because the reward cannot judge them."""
        for name, found in domains.items() if isinstance(domains, dict) else ():
            if found["left_out"]:
                first = found["first"][0]
                self._reporter.note(
                    f"warning: {found['left_out']:,} of the {found['rows']:,} training rows of {name} cannot be judged"
                    f" and were dropped, the first is {first['row']}: {first['reason']}"
                )

    def _scored(self, node: EvaluateNode) -> None:
        rows = self._store.read_json(node.key, "rows.json")
        # If filters share a metric's name, the primary one is reported last and overrides the others.
        scores = {f"{row['task']}/{row['metric']}": row["value"] for row in sorted(rows, key=lambda r: r["primary"])}
        checkpoint = node.parents[0]
        self._folder.append("checkpoint_scored", key=node.key, checkpoint=checkpoint, domain=node.domain, scores=scores)
        self.tell(
            "harness_checkpoint_scored",
            CheckpointScored(
                run=self._folder.path, key=node.key, checkpoint=checkpoint, domain=node.domain, scores=scores
            ),
        )
