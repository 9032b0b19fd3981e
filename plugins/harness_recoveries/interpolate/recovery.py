"""WiSE-FT as a recovery: averages the damaged checkpoint with the target's peak, without training."""

from __future__ import annotations

from dataclasses import asdict

from harness import Recovery, RecoveryContext, StepResult
from harness.weights import WeightFolder, delta_summary, merge_linear
from harness_recoveries.interpolate.config import InterpolateConfig


class Interpolate(Recovery):
    """θ = (1 − α)·θ + α·θ_peak, over all weights (arXiv 2109.01903, equation 1)."""

    def __init__(self, config: InterpolateConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        alpha = self.config.alpha
        now, peak = WeightFolder(context.checkpoint), WeightFolder(context.peak_checkpoint)
        models = [(1 - alpha, now), (alpha, peak)]
        merge_linear(models, context.output, progress=lambda done, total: context.progress(done, total, {}))
        delta = delta_summary(now, WeightFolder(context.output))
        return StepResult(
            report={"alpha": alpha, "coordinates": delta.differing, "norm": delta.norm, "edit": asdict(delta)}
        )
