"""Checks by plugins before the first step of a run."""

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
    """The input of start checks.

    model: the folder of the base model. domains: the domains that the plugin trains or measures, by name; for a domain
    or a reward, its own domain. processes: the number of processes of a training step.
    """

    model: Path
    domains: Mapping[str, TrainingDomain] = field(default_factory=dict)
    processes: int = 1


class ChecksStart:
    """Mixin of models, domains, rewards, algorithms, recoveries, merges and probes: checks before a run."""

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields problems that would make a step fail. Called once before a run; should take seconds. A raised error is
        reported as a problem. Checks that need neither data nor model belong in `Config.faults`."""
        return ()
