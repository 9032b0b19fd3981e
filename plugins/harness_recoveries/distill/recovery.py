"""The recovery `distill`: trains the damaged checkpoint toward its targets' teachers, and reports how far it moved."""

from __future__ import annotations

from harness import PluginError, Recovery, RecoveryContext, StepResult
from harness.training import with_movement
from harness_recoveries.distill.config import DistillConfig


class Distill(Recovery):
    """Trains on the prompts of all targets. The algorithm takes the teachers from the lineage."""

    def __init__(self, config: DistillConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        if context.train is None:
            raise PluginError("distill got no algorithm to train with")
        return with_movement(context, context.train(context.checkpoint, list(context.targets)))
