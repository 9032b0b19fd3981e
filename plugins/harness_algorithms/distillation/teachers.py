"""The teachers of a distillation: which checkpoint teaches which domain, and the loaded models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from harness import LineageEntry, StepFailed
from harness.training import last_training
from harness.weights import WeightFolder, check_same_tokenizer, loaded_model


def teacher_folders(
    lineage: Sequence[LineageEntry], domains: Sequence[str], chosen: Mapping[str, int]
) -> dict[str, Path]:
    """Returns the folder of each domain's teacher.

    lineage: from the base to the student. chosen: steps by domain; by default the domain's last training. Raises
    StepFailed for a step that does not exist, and for a domain that was never trained.
    """
    folders = {}
    for name in domains:
        peak = last_training(lineage, name)
        step = chosen.get(name, -1 if peak is None else peak.step)
        if step < 0:
            raise StepFailed(
                f"{name} has no teacher: no step before this one trained it",
                hint=f"name a step of the method: teachers: {{{name}: 0}} is the base",
            )
        if step >= len(lineage):
            raise StepFailed(
                f"the teacher of {name} is step {step}, and the step before this one is {len(lineage) - 1}",
                hint=", ".join(f"{entry.step} ({entry.label})" for entry in lineage),
            )
        folders[name] = lineage[step].folder
    return folders


def check_teachers(student: Path, folders: Mapping[str, Path]) -> None:
    """Raises CheckpointError if a teacher has another tokenizer than the student, so that their policies are over
    different tokens."""
    for folder in set(folders.values()):
        check_same_tokenizer(WeightFolder(student), WeightFolder(folder))


class Teachers:
    """Loaded models by folder, each loaded once. Between uses they are in the CPU's memory."""

    def __init__(self, dtype: str) -> None:
        self._dtype = getattr(torch, dtype)
        self._models: dict[Path, Any] = {}

    @contextmanager
    def on(self, device: torch.device, folder: Path) -> Iterator[Any]:
        """Yields the model in `folder` on `device`."""
        if folder not in self._models:
            self._models[folder] = loaded_model(folder, dtype=self._dtype).requires_grad_(False)
        model = self._models[folder].to(device)
        try:
            yield model
        finally:
            if device.type != "cpu":
                model.to("cpu")
