"""Computes one node of a plan unless the store has it, in this process or in several processes that it starts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError, StepFailed
from harness.execution.computation import Evaluator, NodeComputation, state_folder
from harness.execution.keeping import keep_as_delta
from harness.execution.launching import is_further_machine, launch, step_scratch
from harness.execution.plugin_instances import described
from harness.execution.restoring import RestoredModels, soonest
from harness.execution.same_training import check_same_training
from harness.execution.stored_faults import stored_faults
from harness.planning.node import Node, StepNode, TrainingNode
from harness.planning.nodes import StateNode
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
        launched = _launch_of(node)
        if launched is not None and is_further_machine():
            self._launch_part(node, launched)
            return
        try:
            with self.store.lock(key):
                if self.store.has(key):
                    return
                self.restored.drop([key])  # its result no longer exists
                if isinstance(node, StateNode):
                    self._train_again(node, progress)
                else:
                    self._write(node, lambda folder: self._compute(node, folder, progress))
        finally:
            self.restored.release()

    def execute_rank(self, key: str, folder: Path, progress: Progress = silent) -> None:
        """Runs this rank's part of a launched step. Rank 0 writes the files to `folder`. Raises as `execute`."""
        node = self.plan.nodes[key]
        try:
            self._computation.compute(_computed(node), folder, progress, scratch=step_scratch(_launch_of(node)))
        finally:
            self.restored.release()

    def _write(self, node: Node, fill: Callable[[Path], None]) -> None:
        """Writes a result to the store: what `fill` writes to the folder that it is called with."""
        whole: Path | None = None
        try:
            with self.store.lock(node.key):
                with (
                    self.store.writing(node.key, self._definition(node)) as folder,
                    stored_faults(self.plan, node, self.store),
                ):
                    fill(folder)
                    if isinstance(node, StepNode):
                        whole = keep_as_delta(folder / "model", node.key, self._checkpoints, self._deltas)
                if whole is not None:
                    self.restored.put(node.key, whole)
        finally:
            if whole is not None:
                shutil.rmtree(whole, ignore_errors=True)  # already gone if it was moved

    def _compute(self, node: Node, folder: Path, progress: Progress) -> None:
        """Computes a node, and stores the states that it writes on the way."""
        self._run(node, folder, progress, None)
        if node.key in self.plan.states:
            self._store_states(self.plan.states[node.key], self.store.scratch(node.key))

    def _run(self, node: Node, folder: Path, progress: Progress, scratch: Path | None) -> None:
        """Computes a node, or the training of a state, into `folder`. scratch: by default that of the node."""
        config = _launch_of(node)
        if config is None:
            self._computation.compute(_computed(node), folder, progress, scratch=scratch)
            return
        if self._command is None:
            raise StepFailed("use `harness run` or `exec-node` for a step with several processes", where=node.label)
        (folder / "model").mkdir(parents=True, exist_ok=True)
        launch(self._command(node.key), config, folder, scratch or self.store.scratch(node.key), node.label)

    def _train_again(self, first: StateNode, progress: Progress) -> None:
        """Runs the stored training of a state again, and stores its missing states. Raises StepFailed if it ends with
        other weights than before, PluginError if it does not write the states."""
        scratch = self.store.scratch(first.key)
        output = scratch / "output"
        shutil.rmtree(output, ignore_errors=True)  # of a killed process
        output.mkdir()
        with stored_faults(self.plan, first, self.store):
            self._run(first, output, progress, scratch)
            check_same_training(output / "model", first.training, self._checkpoints, self.store)
        later = [state for state in self.plan.states[first.training.key] if state is not first]
        self._store_states((*later, first), scratch)  # `first` last, because `scratch` goes with it
        if not self.store.has(first.key):
            assert first.trained_with is not None
            raise PluginError(
                f"did not write the model of {first.label}",
                where=described(self.plugins.registered(first.trained_with)),
                hint="an algorithm with `states` in its spec writes to every folder of context.states",
            )

    def _store_states(self, states: Iterable[StateNode], scratch: Path) -> None:
        """Stores the states that a training has written to its scratch folder, unless they are stored."""
        for state in states:
            written = state_folder(scratch, state.optimizer_step)
            if written.is_dir() and not self.store.has(state.key):
                self._write(state, partial(self._computation.take_state, state, written=written))

    @property
    def restored(self) -> RestoredModels:
        """The restored models of this store, including those of other processes."""
        return self._checkpoints.restored

    def drop_restored(self, later: Iterable[Node]) -> None:
        """Deletes the restored models of this plan, except the few that the next missing nodes read."""
        self.restored.drop(self.plan.nodes.keys() - soonest(self.restored.keys(), later))

    def _launch_part(self, node: Node, config: Mapping[str, Any]) -> None:
        """Runs the processes of this machine for a step whose result the first machine stores."""
        assert self._command is not None
        with tempfile.TemporaryDirectory(prefix="harness-part-") as scratch:
            launch(self._command(node.key), config, Path(scratch), Path(scratch), node.label)

    def _definition(self, node: Node) -> dict[str, Any]:
        """Returns the data that the store has about a node's key: its definition and that of the base model, which has
        no stored result."""
        definition_of = self.plan.definition_of
        return {"definition": definition_of(node.key), "base": definition_of(self.plan.base.key)}


def _computed(node: Node) -> Node:
    """Returns the node that is computed for a node: the training of a state."""
    return node.training if isinstance(node, StateNode) else node


def _launch_of(node: Node) -> Mapping[str, Any] | None:
    """Returns accelerate's config if the node is computed in several processes."""
    computed = _computed(node)
    return computed.launch if isinstance(computed, TrainingNode) else None
