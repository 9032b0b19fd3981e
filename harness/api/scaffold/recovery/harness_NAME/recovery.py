"""A straight line between the damaged checkpoint and the target's peak."""

from pydantic import Field

from harness import Config, Recovery, RecoveryContext, StepResult


class MidpointConfig(Config):
    """How far back to go."""

    share: float = Field(default=0.5, gt=0, le=1, description="of the way back to the peak")


class Midpoint(Recovery):
    """Writes damaged + share · (peak − damaged)."""

    def __init__(self, config: MidpointConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        from harness.weights import WeightFolder, write_patched  # imports torch

        damaged, peak = WeightFolder(context.checkpoint), WeightFolder(context.peak_checkpoint)
        share = self.config.share
        write_patched(damaged, context.output, lambda name, tensor: tensor + share * (peak.read(name) - tensor))
        return StepResult(report={"share": share})
