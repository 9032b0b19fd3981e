"""What plugins may say against a run before its first step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Problem

if TYPE_CHECKING:
    from harness.plugin.interfaces import TrainingDomain


@dataclass(frozen=True, kw_only=True)
class StartContext:
    """What a plugin may look at before a run starts.

    model: the base model's folder. domains: those that the plugin trains or measures, by name; of a domain or a reward,
    the one that it belongs to. processes: in how many a training step runs.
    """

    model: Path
    domains: Mapping[str, TrainingDomain] = field(default_factory=dict)
    processes: int = 1


class ChecksStart:
    """What models, domains, rewards, algorithms, recoveries, merges and probes have in common."""

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields what is known to make a step fail, once before a run starts; `Config.faults` is for what needs neither
        data nor model. An error that it raises is reported as a fault too. Should take seconds."""
        return ()
