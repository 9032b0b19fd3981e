"""The interface of merges and its input; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.plugin.interfaces import Expert, Progress, StepResult, TrainingCall, TrainingDomain
from harness.plugin.start_check import ChecksStart


@dataclass(frozen=True, kw_only=True)
class MergeContext:
    """The input of a merge.

    base: the model folder that every expert was trained from. experts: at least two, in the order of the protocol.
    output: an existing empty folder for the merged model. scratch: a folder that survives a killed process, for
    resuming. seed: the seed of all random draws. progress: call it to report progress. domains: those that the experts
    trained, by name. train: trains a checkpoint on the given domains with the resolved algorithm, which gets the
    experts, and writes to `output`; None unless the merge's spec sets `trains`.
    """

    base: Path
    experts: Sequence[Expert]
    output: Path
    scratch: Path
    seed: int
    progress: Progress
    domains: Mapping[str, TrainingDomain] = field(default_factory=dict)
    train: TrainingCall | None = None


class Merge(ChecksStart, ABC):
    """Merges several checkpoints into one."""

    @abstractmethod
    def merge(self, context: MergeContext) -> StepResult:
        """Writes the merged model and its tokenizer to `context.output`. Raises StepFailed with the cause."""
