"""Updates of later trainings, and checkpoints with a vector added to their weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from harness import LineageEntry, ProbeContext, StepFailed
from harness.training import last_training
from harness.weights import WeightFolder, check_same_tensors, write_patched
from harness_theory.sampled_policy import SampledPolicy


@dataclass(frozen=True, kw_only=True)
class Update:
    """What one training changed: the checkpoints before and after it."""

    before: LineageEntry
    after: LineageEntry

    def vector(self, policy: SampledPolicy) -> torch.Tensor:
        """Returns θ_after − θ_before, fp32, in the order of the policy's parameters. Raises CheckpointError for
        different models."""
        old, new = WeightFolder(self.before.folder), WeightFolder(self.after.folder)
        check_same_tensors(old, new)
        return policy.flat(lambda name: new.read(name).float() - old.read(name).float())


def target_of(context: ProbeContext, target: str | None) -> str:
    """Returns the target, by default the domain that the method trained first; empty if it trained none. Raises
    StepFailed for an unknown domain."""
    if target is not None and target not in context.domains:
        raise StepFailed(
            f"the protocol has no domain {target!r}", where="target", hint=f"it has {', '.join(context.domains)}"
        )
    trained = [entry for entry in context.lineage if entry.domains]
    return target or (sorted(trained[0].domains)[0] if trained else "")


def peak_of(context: ProbeContext, target: str | None) -> tuple[LineageEntry, str] | None:
    """Returns the checkpoint after the target's last training, and the target's name; None if the method did not train
    it. Raises as `target_of`."""
    name = target_of(context, target)
    peak = last_training(context.lineage, name)
    return None if peak is None else (peak, name)


def later_updates(lineage: Sequence[LineageEntry], peak: LineageEntry, against: Sequence[str]) -> list[Update]:
    """Returns the updates of the trainings after the peak; with `against`, of those that trained one of its domains."""
    return [
        Update(before=before, after=after)
        for before, after in pairwise(lineage)
        if after.step > peak.step and after.domains and (not against or set(against) & set(after.domains))
    ]


@contextmanager
def shifted(peak: Path, policy: SampledPolicy, vector: torch.Tensor, folder: Path) -> Iterator[Path]:
    """Writes the model in `peak` plus a vector to `folder`, which is deleted afterwards. The sum is rounded to the
    dtype of the files."""
    parts = policy.by_name(vector)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        write_patched(
            WeightFolder(peak),
            folder,
            lambda name, tensor: tensor.float() + parts[name].cpu() if name in parts else tensor,
        )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
