"""Shows and records what happens to the nodes of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness._util.disk_errors import StoreFull
from harness.errors import HarnessError
from harness.execution.events import NodeEvents
from harness.execution.executor import Executor
from harness.execution.progress import Reporter
from harness.planning.dependents import dependent_nodes
from harness.planning.node import Node, StepNode
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan
from harness.planning.titles import titled


class NodeWatch:
    """The listener of a run's dispatcher. explain_full: returns the error of a full disk with the node and the space
    that is needed."""

    def __init__(
        self,
        plan: Plan,
        events: NodeEvents,
        reporter: Reporter,
        executor: Executor,
        explain_full: Callable[[StoreFull, Node], StoreFull],
    ) -> None:
        self._plan = plan
        self._titled = titled(plan)
        self._events = events
        self._reporter = reporter
        self._executor = executor
        self._explain_full = explain_full
        self._remaining: dict[str, Node] = {}
        self._index = 0

    def begin(self, missing: Sequence[Node], done: int) -> None:
        """Is called before the first node. missing: the nodes to compute, in order. done: the number of others."""
        self._remaining = {node.key: node for node in missing}
        self._index = done

    def started(self, node: Node, worker: str) -> None:
        self._index += 1
        self._events.started(node, worker)
        self._reporter.node_started(self._titled[node.key], self._index)
        self._events.warn_if_undamaged(node)

    def found(self, node: Node) -> None:
        self._index += 1
        self._remaining.pop(node.key, None)

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None:
        self._reporter.progress(node, done, total, metrics)
        self._events.progress(node, done, total, metrics)

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def finished(self, node: Node, seconds: float, error: HarnessError | None) -> None:
        self._remaining.pop(node.key, None)
        self._reporter.node_finished(self._titled[node.key], seconds, error)
        self._events.finished(node, seconds, error)
        if error is not None:
            self._report_dependents(node)
        self._executor.drop_restored(self._remaining.values())

    def stopped_by(self, node: Node, error: HarnessError) -> HarnessError:
        return self._explain_full(error, node) if isinstance(error, StoreFull) else error

    def _report_dependents(self, node: Node) -> None:
        """Reports the nodes that are skipped because the base model has no score on a domain."""
        dependent = dependent_nodes(node, self._plan)
        steps = sum(isinstance(self._plan.nodes[key], StepNode) for key in dependent)
        if dependent and isinstance(node, EvaluateNode):
            self._reporter.note(
                f"{node.domain}: the base model has no score, so {steps} trainings and recoveries of it,"
                f" {len(dependent) - steps} scorings on it and what starts from them are not started; the rest goes on"
            )
