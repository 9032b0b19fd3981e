"""The teachers of a distillation: which checkpoint teaches which domain, and the loaded models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness import CheckpointError, StepFailed, TrainingContext
from harness.domains import parse_json
from harness.training import last_training
from harness.weights import CONFIG, WeightFolder, check_same_tokenizer, loaded_model


@dataclass(frozen=True)
class Teacher:
    """named: as in reports, the number of a step of the method or the name of an expert. weight: the expert's."""

    named: int | str
    folder: Path
    weight: float = 1.0


def teachers_of(context: TrainingContext, chosen: Mapping[str, int | str]) -> dict[str, Teacher]:
    """Returns the teacher of each domain that is trained.

    chosen: steps of the method, or experts, by domain; by default the domain's last training, and if the method never
    trained it, the expert that did. Raises StepFailed for a step that does not exist, and for a domain that has no
    teacher.
    """
    return {one.name: _teacher(one.name, context, chosen) for one in context.domains}


def _teacher(name: str, context: TrainingContext, chosen: Mapping[str, int | str]) -> Teacher:
    lineage = context.lineage
    named = chosen.get(name)
    if isinstance(named, str):
        expert = next(expert for expert in context.experts if expert.name == named)
        return Teacher(named, expert.folder, expert.weight)
    if named is not None:
        if named >= len(lineage):
            raise StepFailed(
                f"the teacher of {name} is step {named}, and the step before this one is {len(lineage) - 1}",
                hint=", ".join(f"{entry.step} ({entry.label})" for entry in lineage),
            )
        return Teacher(named, lineage[named].folder)
    peak = last_training(lineage, name)
    if peak is not None:
        return Teacher(peak.step, peak.folder)
    able = [expert for expert in context.experts if name in expert.domains]
    if not able:
        raise StepFailed(
            f"{name} has no teacher: no step before this one trained it",
            hint=f"name a step of the method: teachers: {{{name}: 0}} is the base",
        )
    if len(able) > 1:
        raise StepFailed(f"{name} has several teachers: {', '.join(expert.name for expert in able)}")
    return Teacher(able[0].name, able[0].folder, able[0].weight)


def check_teachers(student: Path, teachers: Mapping[str, Teacher]) -> None:
    """Raises CheckpointError if a teacher has another tokenizer or vocabulary than the student, so that their policies
    are over different tokens."""
    for teacher in {teacher.folder: teacher for teacher in teachers.values()}.values():
        check_same_tokenizer(WeightFolder(student), WeightFolder(teacher.folder))
        sizes = [parse_json((folder / CONFIG).read_bytes()).get("vocab_size") for folder in (student, teacher.folder)]
        if sizes[0] != sizes[1]:
            raise CheckpointError(
                f"the teacher has a vocabulary of {sizes[1]} tokens, and the student one of {sizes[0]}",
                where=str(teacher.folder),
                hint="student and teachers must come from the same base model",
            )


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
