"""Compares the model of a training that ran again with the stored one."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StepFailed
from harness.planning.node import TrainingNode
from harness.weights.storage_forms import form_of

if TYPE_CHECKING:
    from harness.execution.checkpoints import CheckpointFolders
    from harness.execution.store import Store

_WEIGHTS = "*.safetensors"


def check_same_training(model: Path, training: TrainingNode, checkpoints: CheckpointFolders, store: Store) -> None:
    """Raises StepFailed if the weight files of `model` are not those of the stored training, byte by byte: then the
    states that it has written are not those of the training."""
    stored = store.path(training.key) / "model"
    if form_of(model) is None:
        stored = checkpoints.folder(training.key)  # restored if it is stored as a delta
    names = {path.name for folder in (model, stored) for path in folder.glob(_WEIGHTS)}
    if not names or filecmp.cmpfiles(model, stored, names, shallow=False)[0] != sorted(names):
        raise StepFailed(
            f"{training.label} ran again and ended with other weights than the stored ones, so the states within it"
            " are not those of the stored training",
            where=training.label,
            hint="this machine or its libraries compute other numbers than those before; run the protocol into a new"
            " folder (-o), where the states are written while it trains",
        )
