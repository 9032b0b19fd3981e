"""A variant of GRPO through TRL's trainer."""

from pydantic import Field

from harness import StepResult, TrainingContext
from harness.training import PolicyGradientConfig, TRLAlgorithm


class CenteredConfig(PolicyGradientConfig):
    """GRPO's settings, and one more."""

    scale: bool = Field(default=False, description="divide advantages by the standard deviation of their group")


class CenteredGRPO(TRLAlgorithm):
    """Samples, rewards, metrics and resuming are the harness's; `fields` and `trainer_class` change what TRL does."""

    def __init__(self, config: CenteredConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl  # imports torch and TRL

        return train_with_trl(context, self.config, fields={"scale_rewards": self.config.scale})
