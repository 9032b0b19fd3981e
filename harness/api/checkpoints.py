"""Checkpoints as full model folders, independent of their form in the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.files import atomic_directory
from harness.weights.storage_forms import form_of

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.plugin.registry import Registry

CHECKPOINTS = "checkpoints"


def whole_checkpoint(run: Path, plan: Plan, key: str, registry: Registry) -> Path:
    """Returns the folder of the checkpoint `key`: that of the base model or of the store. A checkpoint stored as a
    delta or an adapter is restored to the run folder. Raises as `CheckpointFolders.folder` does."""
    from harness.execution import CheckpointFolders
    from harness.execution.store import Store

    store = Store(run.resolve().parent / "store")
    with CheckpointFolders(plan, store, registry) as folders:
        written = run / CHECKPOINTS / key
        if written.is_dir():
            return written
        folder = folders.folder(key)
        if key == plan.base.key or form_of(store.path(key) / "model") is None:
            return folder
        with atomic_directory(written) as temporary:
            shutil.copytree(folder, temporary, dirs_exist_ok=True)
        return written
