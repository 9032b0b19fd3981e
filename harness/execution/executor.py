"""Computes one node of a plan unless the store has it, in this process or in several processes that it starts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import StepFailed
from harness.execution.computation import Evaluator, NodeComputation
from harness.execution.keeping import keep_as_delta
from harness.execution.launching import is_further_machine, launch
from harness.execution.restoring import RestoredModels, soonest
from harness.execution.stored_faults import stored_faults
from harness.planning.node import Node, StepNode, TrainingNode
from harness.planning.plan import Plan
from harness.plugin.interfaces import Progress
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.plugin.registry import Registry


def silent(done: int, total: int, metrics: Mapping[str, float]) -> None:
    """Ignores progress."""


class Executor:
    """Computes the nodes of one plan into one store.

    evaluator: lm-eval by default. command: returns the `harness exec-node` command for a node's key, for steps that run
    in several processes. deltas: when to store a step's model as a delta, which does not affect results.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        store: Store,
        *,
        evaluator: Evaluator | None = None,
        command: Callable[[str], Sequence[str]] | None = None,
        deltas: Deltas = Deltas.AUTO,
    ) -> None:
        self.plan = plan
        self._command = command
        self.store = store
        self._deltas = deltas
        self._computation = NodeComputation(plan, registry, store, evaluator)
        self._checkpoints = self._computation.checkpoints
        self.plugins = self._computation.plugins

    def execute(self, key: str, progress: Progress = silent) -> None:
        """Computes the node unless the store has it. Waits if another process is computing it.

        Raises StepFailed if a parent is missing or a plugin fails, PluginError if a plugin breaks its contract,
        StoreFull or StoreForbidden if the disk is full or not writable.
        """
        node = self.plan.nodes[key]
        base = self.plan.base.key
        if key == base:
            return
        missing = [parent for parent in node.parents if parent != base and not self.store.has(parent)]
        if missing:
            labels = ", ".join(self.plan.nodes[parent].label for parent in missing)
            raise StepFailed(f"its parents are not in the store: {labels}", where=node.label)
        if isinstance(node, TrainingNode) and node.launch is not None and is_further_machine():
            self._launch_part(node, node.launch)
            return
        whole: Path | None = None
        try:
            with self.store.lock(key):
                if self.store.has(key):
                    return
                self.restored.drop([key])  # its result no longer exists
                with (
                    self.store.writing(key, self._definition(node)) as folder,
                    stored_faults(self.plan, node, self.store),
                ):
                    if isinstance(node, TrainingNode) and node.launch is not None:
                        self._launch(node, node.launch, folder)
                    else:
                        self._computation.compute(node, folder, progress)
                    if isinstance(node, StepNode):
                        whole = keep_as_delta(folder / "model", key, self._checkpoints, self._deltas)
                if whole is not None:
                    self.restored.put(key, whole)
        finally:
            if whole is not None:
                shutil.rmtree(whole, ignore_errors=True)  # already gone if it was moved
            self.restored.release()

    def execute_rank(self, key: str, folder: Path, progress: Progress = silent) -> None:
        """Runs this rank's part of a launched step. Rank 0 writes the files to `folder`. Raises as `execute`."""
        try:
            self._computation.compute(self.plan.nodes[key], folder, progress)
        finally:
            self.restored.release()

    @property
    def restored(self) -> RestoredModels:
        """The restored models of this store, including those of other processes."""
        return self._checkpoints.restored

    def drop_restored(self, later: Iterable[Node]) -> None:
        """Deletes the restored models of this plan, except the few that the next missing nodes read."""
        self.restored.drop(self.plan.nodes.keys() - soonest(self.restored.keys(), later))

    def _launch(self, node: TrainingNode, config: Mapping[str, Any], folder: Path) -> None:
        if self._command is None:
            raise StepFailed("use `harness run` or `exec-node` for a step with several processes", where=node.label)
        self._computation.workplace(node, folder)
        launch(self._command(node.key), config, folder, self.store.scratch(node.key), node.label)

    def _launch_part(self, node: TrainingNode, config: Mapping[str, Any]) -> None:
        """Runs the processes of this machine for a step whose result the first machine stores."""
        assert self._command is not None
        with tempfile.TemporaryDirectory(prefix="harness-part-") as scratch:
            launch(self._command(node.key), config, Path(scratch), Path(scratch), node.label)

    def _definition(self, node: Node) -> dict[str, Any]:
        """Returns the data that the store has about a node's key: its definition and that of the base model, which has
        no stored result."""
        definition_of = self.plan.definition_of
        return {"definition": definition_of(node.key), "base": definition_of(self.plan.base.key)}
