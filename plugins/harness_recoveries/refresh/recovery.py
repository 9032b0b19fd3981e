"""The refresh: trains the damaged checkpoint on the target and says how far that moved it."""

from __future__ import annotations

from dataclasses import asdict

from harness import NoConfig, PluginError, Recovery, RecoveryContext, StepResult
from harness.weights import WeightFolder, edit_summary


class Refresh(Recovery):
    """The algorithm and its settings are the step's own keys over the protocol's `train` defaults."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        if context.train is None:
            raise PluginError("refresh was given no algorithm to train with")
        result = context.train(context.checkpoint, [context.target])
        edit = edit_summary(WeightFolder(context.checkpoint), WeightFolder(context.output))
        moved = {"coordinates": edit.differing, "norm": edit.norm, "edit": asdict(edit)}
        return StepResult(cost=result.cost, report={**result.report, **moved, "seconds": result.cost.train_seconds})
