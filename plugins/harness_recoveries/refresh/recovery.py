"""The recovery `refresh`: trains the damaged checkpoint on the target and reports how far the weights moved."""

from __future__ import annotations

from collections.abc import Iterable

from harness import PluginError, Problem, Recovery, RecoveryContext, StartContext, StepResult
from harness.training import check_masked, check_scores, conflict_mask, with_movement
from harness.weights import WeightFolder
from harness_recoveries.refresh.config import RefreshConfig


class Refresh(Recovery):
    """The algorithm and its settings are those of the protocol's `train` section, with the step's own keys on top.

    With a mask, only the selected weights are trained, and all others keep their bits.
    """

    def __init__(self, config: RefreshConfig) -> None:
        self.config = config

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises CheckpointError if the mask needs gradients that the base model does not give."""
        if self.config.mask is not None:
            check_scores([self.config.mask.score], start.model, self.config.mask.exclude)
        return ()

    def recover(self, context: RecoveryContext) -> StepResult:
        if context.train is None:
            raise PluginError("refresh got no algorithm to train with")
        if self.config.mask is None:
            return with_movement(context, context.train(context.checkpoint, [context.target]))
        mask = conflict_mask(context, self.config.mask)
        result = context.train(context.checkpoint, [context.target], mask=mask.file)
        check_masked(mask.file, WeightFolder(context.checkpoint), WeightFolder(context.output), "the algorithm")
        reported = with_movement(context, result)
        return StepResult(cost=reported.cost + mask.cost, report={**reported.report, "mask": mask.report})
