"""The recovery `refresh`: trains the damaged checkpoint on the target and reports how far the weights moved."""

from __future__ import annotations

from dataclasses import asdict

from harness import NoConfig, PluginError, Recovery, RecoveryContext, StepResult
from harness.weights import WeightFolder, delta_summary


class Refresh(Recovery):
    """The algorithm and its settings are those of the protocol's `train` section, with the step's own keys on top."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        if context.train is None:
            raise PluginError("refresh got no algorithm to train with")
        result = context.train(context.checkpoint, [context.target])
        delta = delta_summary(WeightFolder(context.checkpoint), WeightFolder(context.output))
        moved = {"coordinates": delta.differing, "norm": delta.norm, "edit": asdict(delta)}
        return StepResult(cost=result.cost, report={**result.report, **moved, "seconds": result.cost.train_seconds})
