"""The recovery: a straight line between two checkpoints."""

import math

import torch

from harness import Recovery, RecoveryContext, StepResult
from harness.weights import WeightFolder, check_same_tensors, write_patched
from harness_reversal.config import MidpointConfig


class Midpoint(Recovery):
    """θ ← θ + share · (θ_peak − θ)."""

    def __init__(self, config: MidpointConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        now, peak = WeightFolder(context.checkpoint), WeightFolder(context.peak_checkpoint)
        check_same_tensors(now, peak)
        squares = 0.0

        def toward_peak(name: str, tensor: torch.Tensor) -> torch.Tensor:
            nonlocal squares
            step = self.config.share * (peak.read(name).float() - tensor.float())
            squares += float(step.double().square().sum())
            return tensor.float() + step

        write_patched(now, context.output, toward_peak)
        context.progress(1, 1, {})
        return StepResult(report={"share": self.config.share, "norm": math.sqrt(squares)})
