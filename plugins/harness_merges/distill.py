"""The merge `distill`: the experts teach one student, each on the prompts of its own domains."""

from __future__ import annotations

from harness import Merge, MergeContext, NoConfig, PluginError, StepResult


class Distill(Merge):
    """Trains the base on the prompts of all domains. The algorithm takes the teachers from the experts."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        if context.train is None:
            raise PluginError("distill got no algorithm to train with")
        return context.train(context.base, sorted(context.domains))
