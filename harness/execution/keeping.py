"""What the store keeps of the whole model that a step left: the model, or a delta that makes it of its parent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.weights.storage_forms import BELOW, Deltas, form_of

if TYPE_CHECKING:
    from harness.execution.checkpoints import CheckpointFolders


def keep_as_delta(model: Path, key: str, checkpoints: CheckpointFolders, deltas: Deltas) -> Path | None:
    """Puts a delta in the place of the whole model in the folder `model`, which a step left for checkpoint `key`, and
    returns where the model lies now, ready to be put among the restored ones; None where it stays as it is.

    It stays where a delta is not wanted or not smaller, and where none can be made: nothing is lost by that. A delta
    was unpacked again and gave the model's bytes before it takes the place.
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
        shutil.rmtree(delta, ignore_errors=True)  # gone already where it was renamed
    return whole


def _made(parent: Path, model: Path, delta: Path, below: float | None) -> bool:
    from harness.weights.delta import verify, write_delta

    delta.mkdir()
    if not write_delta(parent, model, delta, below=below):
        return False
    verify(parent, delta)
    return True
