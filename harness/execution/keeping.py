"""Stores the model of a step as a full model or as a delta to its parent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.weights.storage_forms import BELOW, Deltas, form_of

if TYPE_CHECKING:
    from harness.execution.checkpoints import CheckpointFolders


def keep_as_delta(model: Path, key: str, checkpoints: CheckpointFolders, deltas: Deltas) -> Path | None:
    """Replaces the full model in the folder `model` of checkpoint `key` with a delta. Returns the new place of the full
    model, from which it can be put among the restored ones, or None if it is not replaced.

    The model is not replaced if a delta is not wanted, not smaller, or not possible. Before the replacement, the delta
    is unpacked and compared byte by byte with the model.
    """
    if deltas is Deltas.NEVER or form_of(model) is not None:
        return None
    delta = model.with_name("delta")
    try:
        if not _made(checkpoints.parent(key), model, delta, None if deltas is Deltas.ALWAYS else BELOW):
            return None
        whole = checkpoints.restored.beside(key)
        model.rename(whole)
        try:
            delta.rename(model)
        except BaseException:
            whole.rename(model)
            raise
    except (HarnessError, OSError):
        return None
    finally:
        shutil.rmtree(delta, ignore_errors=True)  # already gone if it was renamed
    return whole


def _made(parent: Path, model: Path, delta: Path, below: float | None) -> bool:
    from harness.weights.delta import verify, write_delta

    delta.mkdir()
    if not write_delta(parent, model, delta, below=below):
        return False
    verify(parent, delta)
    return True
