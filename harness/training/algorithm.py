"""The base class of algorithms that train through TRL."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import Problem
from harness.plugin.interfaces import Algorithm
from harness.plugin.start_check import StartContext
from harness.training.config import OnPolicyConfig


class TRLAlgorithm(Algorithm):
    """An algorithm whose config is converted to a TRL config."""

    config: OnPolicyConfig

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing if TRL accepts the settings. Raises StepFailed otherwise, and CheckpointError if the base
        model does not give the gradients that `freeze` needs."""
        from harness.training.trl_run import check_settings
        from harness.weights import check_gradient_names

        if self.config.freeze is not None:
            check_gradient_names(start.model)
        check_settings(self.trl_settings(), list(start.domains.values()), processes=start.processes)
        return ()

    def trl_settings(self) -> OnPolicyConfig:
        """Returns the config that is converted to a TRL config."""
        return self.config
