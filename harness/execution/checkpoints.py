"""The model folders of a plan's checkpoints, restored if the store has them in another form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness._util.disk_errors import StoreForbidden, StoreFull, disk_error
from harness.errors import CheckpointError, HarnessError, StepFailed
from harness.execution.plugin_instances import PluginInstances, described
from harness.execution.restoring import RestoredModels
from harness.execution.store_marker import DamagedResult
from harness.planning.node import StepNode
from harness.planning.plan import Plan
from harness.weights.storage_forms import CheckpointForm, form_of

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.plugin.registry import Registry


class CheckpointFolders:
    """Finds and restores model folders. A context manager that closes on exit.

    registry: contains the base model's plugin. plugins: existing plugin instances to use.
    """

    def __init__(self, plan: Plan, store: Store, registry: Registry, *, plugins: PluginInstances | None = None) -> None:
        self._plan = plan
        self._store = store
        self._plugins = plugins or PluginInstances(registry)
        self.restored = RestoredModels(store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Deletes the restored models that no other process reads."""
        self.restored.release()
        self.restored.drop(self.restored.own_keys)

    def folder(self, key: str) -> Path:
        """Returns the read-only model folder of the checkpoint `key`: that of the base model, that in the store, or a
        restored one, which is kept until `restored.release`.

        Raises StepFailed if the checkpoint is not in the store, DamagedResult if a file has changed since it was
        stored, CheckpointError if the base model is not available or a stored form does not match its parent, StoreFull
        and StoreForbidden if it cannot be restored to the store's disk.
        """
        node = self._plan.nodes[key]
        if not isinstance(node, StepNode):
            return self._plugins.base_folder(self._plan.base)
        if not self._store.has(key):
            raise StepFailed(
                "this checkpoint is not in the store",
                where=node.label,
                hint="run the protocol to compute it",
            )
        try:
            self._store.check(key, "model")
        except DamagedResult as error:
            raise error.of(node.label) from error
        stored = self._store.path(key) / "model"
        form = form_of(stored)
        return stored if form is None else self._restored(node, form, stored)

    def _restored(self, node: StepNode, form: CheckpointForm, stored: Path) -> Path:
        try:
            return self.restored.folder(node.key, form, stored, lambda: self._below(node, form))
        except CheckpointError as error:
            plugin = node.plugins(self._plan.domains)[0]
            raise error.met_by(described(self._plugins.registered(plugin)) if form.by_plugin else node.label) from error
        except OSError as error:
            disk_fault = disk_error(error, self._store.root)
            if disk_fault is None:
                raise
            raise disk_fault from error

    def parent(self, key: str) -> Path:
        """Returns the model folder of the parent of checkpoint `key`: the base of a merge, otherwise the start of its
        step. Raises the errors of `folder`."""
        return self.folder(self._parent_of(key))

    def _parent_of(self, key: str) -> str:
        return self._plan.lineage_of(key)[-2]

    def _below(self, node: StepNode, form: CheckpointForm) -> Path:
        try:
            return self.parent(node.key)
        except (StoreFull, StoreForbidden, DamagedResult):
            raise
        except HarnessError as error:
            below = self._plan.nodes[self._parent_of(node.key)].label
            raise CheckpointError(
                f"it is stored as {form.name}, and its base ({below}) is missing: {error.message}",
                where=node.label,
                hint=error.hint,
            ) from error
