"""GRPO whose batches hold prompts of earlier domains in the place of some of the step's own."""

from __future__ import annotations

from harness import StepResult, TrainingContext
from harness.training import TRLAlgorithm
from harness_algorithms.replay.config import ReplayConfig


class Replay(TRLAlgorithm):
    """Earlier domains share the replayed prompts evenly; the policy of now answers them, and their own rewards judge.

    Prompts replace others, so a step sees as many completions as GRPO's; without earlier domains it is GRPO.
    """

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl

        return train_with_trl(context, self.config, replay_share=self.config.share)
