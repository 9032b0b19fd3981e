"""The weighted mean of the experts, pulled toward the base."""

from pydantic import Field

from harness import Config, Merge, MergeContext, StepResult


class ScaledMeanConfig(Config):
    """How far from the base to go."""

    scale: float = Field(default=0.7, gt=0, description="1 is the weighted mean of the experts itself")


class ScaledMean(Merge):
    """Writes base + scale · (Σ weight · expert / Σ weight − base)."""

    def __init__(self, config: ScaledMeanConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        from harness.weights import WeightFolder, write_patched  # imports torch

        experts = [(expert.weight, WeightFolder(expert.folder)) for expert in context.experts]
        total = sum(weight for weight, _ in experts)

        def merged(name, tensor):
            mean = sum(weight * expert.read(name) for weight, expert in experts) / total
            return tensor + self.config.scale * (mean - tensor)

        write_patched(WeightFolder(context.base), context.output, merged)
        return StepResult(report={"experts": len(experts)})
