"""The interface of recoveries and its input; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.plugin.artifacts import ArtifactCache, FormerlyShared
from harness.plugin.interfaces import LineageEntry, Progress, StepResult, TrainingCall, TrainingDomain
from harness.plugin.start_check import ChecksStart


@dataclass(frozen=True, kw_only=True)
class RecoveryContext(FormerlyShared):
    """The input of a recovery.

    lineage: the checkpoints from the base to the damaged one. target: the harmed domain; the first one of several.
    peak: the index in `lineage` of the target's last training. domains: the domains of the protocol, by name. output:
    an existing empty folder for the recovered model. scratch: a folder that survives a killed process, for resuming.
    metrics: a JSON-lines file to append training metrics to. seed: the seed of all random draws. progress: call it to
    report progress. train: trains a checkpoint on the given domains with the resolved algorithm and writes to `output`;
    None unless the recovery's spec sets `trains`. cache: a cache for measurements; None outside a run. targets: all
    domains to recover; one, unless the recovery's spec sets `several`. peaks: the index in `lineage` of the last
    training of each domain that was trained, in the order of these trainings.
    """

    lineage: Sequence[LineageEntry]
    target: str
    peak: int
    domains: Mapping[str, TrainingDomain]
    output: Path
    scratch: Path
    metrics: Path
    seed: int
    progress: Progress
    train: TrainingCall | None = None
    cache: ArtifactCache | None = None
    targets: Sequence[str] = ()
    peaks: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets) or (self.target,))
        object.__setattr__(self, "peaks", dict(self.peaks) or {self.target: self.peak})

    @property
    def checkpoint(self) -> Path:
        """The damaged checkpoint to recover."""
        return self.lineage[-1].folder

    @property
    def peak_checkpoint(self) -> Path:
        """The checkpoint after the target's last training."""
        return self.lineage[self.peak].folder


class Recovery(ChecksStart, ABC):
    """Recovers one or several harmed domains."""

    @abstractmethod
    def recover(self, context: RecoveryContext) -> StepResult:
        """Writes the recovered model and its tokenizer to `context.output`. Raises StepFailed with the cause."""
