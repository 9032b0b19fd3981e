"""GRPO and RLOO: TRL's trainers, unchanged, with the harness's prompts and rewards."""

from __future__ import annotations

from harness import StepResult, TrainingContext
from harness.training import PolicyGradientConfig, TRLAlgorithm
from harness_algorithms.grpo.config import RLOOConfig


class GRPO(TRLAlgorithm):
    """GRPO (arXiv 2402.03300): advantages are rewards normalized over the completions of one prompt."""

    def __init__(self, config: PolicyGradientConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl

        return train_with_trl(context, self.config)


class RLOO(TRLAlgorithm):
    """RLOO: an advantage is the reward minus the mean reward of the prompt's other completions.

    A(yᵢ) = R(yᵢ) − 1/(k−1) Σ_{j≠i} R(yⱼ) (arXiv 2402.14740, section 2.2), not divided by a standard deviation.
    """

    def __init__(self, config: RLOOConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from trl import RLOOTrainer

        from harness.training import train_with_trl

        return train_with_trl(context, self.config, trainer_class=RLOOTrainer)
