"""Checkpoints as full model folders, independent of their form in the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.files import atomic_directory
from harness.errors import UsageError
from harness.weights.storage_forms import form_of

if TYPE_CHECKING:
    from harness.execution import CheckpointFolders
    from harness.execution.store import Store
    from harness.plugin.registry import Registry

CHECKPOINTS = "checkpoints"


def whole_checkpoint(run: Path, key: str, registry: Registry, *, base: bool) -> Path:
    """Returns the folder of the checkpoint `key`: that of the base model or of the store. A checkpoint stored as a
    delta or an adapter is restored to the run folder. base: as for `model_folder`, which says what is raised."""
    written = run / CHECKPOINTS / key
    if written.is_dir():
        return written
    with model_folder(run, key, registry, base=base) as folder:
        if base or folder == _store(run).path(key) / "model":
            return folder
        with atomic_directory(written) as temporary:
            shutil.copytree(folder, temporary, dirs_exist_ok=True)
        return written


@contextmanager
def model_folder(run: Path, key: str, registry: Registry, *, base: bool) -> Iterator[Path]:
    """Yields the folder of the checkpoint `key`; what is restored from a delta or an adapter goes at the end.

    base: the checkpoint is the base model, which is not stored. Raises UsageError if the store lacks the checkpoint or
    the base model has changed since the run, DamagedResult if a file has changed since it was stored, and otherwise as
    `CheckpointFolders.folder`.
    """
    stored = None if base else _stored_folder(run, key)
    if stored is not None and form_of(stored) is None:
        yield stored
    else:
        with _checkpoints(run, registry) as checkpoints:
            yield checkpoints.folder(key)


def _stored_folder(run: Path, key: str) -> Path:
    """Returns the checkpoint's folder in the store. Raises UsageError if it is not there, DamagedResult if a file has
    changed."""
    store = _store(run)
    if not store.has(key):
        raise UsageError(
            "the store does not hold this checkpoint",
            where=str(store.path(key)),
            hint="run the protocol again: it computes what is missing",
        )
    store.check(key, "model")
    return store.path(key) / "model"


def _checkpoints(run: Path, registry: Registry) -> CheckpointFolders:
    """Returns the model folders of the run's plan. Raises UsageError if the base model has changed since the run."""
    from harness.execution import CheckpointFolders
    from harness.execution.plugin_instances import PluginInstances
    from harness.execution.run_folder import PLAN
    from harness.planning.serialization import read_plan

    plan, plugins = read_plan(run / PLAN), PluginInstances(registry)
    if plugins.model(plan.base.model).fingerprint() != plan.base.fingerprint:
        raise UsageError(
            "the base model of this checkpoint has changed since the run",
            where=str(run),
            hint="install the versions in its provenance.json",
        )
    return CheckpointFolders(plan, _store(run), registry, plugins=plugins)


def _store(run: Path) -> Store:
    from harness.execution.store import Store

    return Store(run.resolve().parent / "store")
