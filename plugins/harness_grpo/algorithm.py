"""GRPO: TRL's trainer as it is, with the harness's prompts and rewards."""

from __future__ import annotations

from harness import Algorithm, StepResult, TrainingContext
from harness.training import PolicyGradientConfig


class GRPO(Algorithm):
    """Advantages are rewards normalized within the group of completions of one prompt."""

    def __init__(self, config: PolicyGradientConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training.trl_run import train_with_trl

        return train_with_trl(context, self.config)
