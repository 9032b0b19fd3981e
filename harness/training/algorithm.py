"""What algorithms that train through TRL have in common before a run starts."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import Problem
from harness.plugin.interfaces import Algorithm
from harness.plugin.start_check import StartContext
from harness.training.config import OnPolicyConfig


class TRLAlgorithm(Algorithm):
    """An algorithm whose config becomes one of TRL's."""

    config: OnPolicyConfig

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing where TRL takes the settings; raises StepFailed where it does not."""
        from harness.training.trl_run import check_settings

        check_settings(self.trl_settings(), list(start.domains.values()), processes=start.processes)
        return ()

    def trl_settings(self) -> OnPolicyConfig:
        """Returns the config that becomes TRL's."""
        return self.config
