"""The algorithm `replay`: GRPO with prompts of earlier domains in place of some of the step's own."""

from __future__ import annotations

from harness import StepResult, TrainingContext
from harness.training import TRLAlgorithm
from harness_algorithms.replay.config import ReplayConfig


class Replay(TRLAlgorithm):
    """GRPO on a mixture: a share of the prompts is spread evenly over the domains trained before.

    The current policy answers replayed prompts, and their domain's reward scores the completions. A step has as many
    completions as with `grpo`. Without earlier domains it is plain GRPO.
    """

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl

        return train_with_trl(context, self.config, replay_share=self.config.share)
