"""The rollback itself: score every eligible coordinate, take the highest, move them toward the peak, keep the rest."""

from __future__ import annotations

import math
import time

import torch

from harness import Recovery, RecoveryContext, StepResult
from harness.weights import WeightFolder, check_same_tensors, write_patched
from harness_rollback.config import RollbackConfig
from harness_rollback.scores import Score, score_of


class Rollback(Recovery):
    """θ ← θ − strength·δ on the chosen coordinates, δ = θ − θ_peak."""

    def __init__(self, config: RollbackConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        started = time.monotonic()
        now, peak = WeightFolder(context.checkpoint), WeightFolder(context.peak_checkpoint)
        check_same_tensors(now, peak)
        context.progress(0, 2, {})
        score = score_of(context, self.config)
        context.progress(1, 2, {})
        names = [name for name in now.names() if not any(part in name for part in self.config.exclude)]
        chosen = self._chosen(score, now, peak, names)
        moved = 0.0

        def patch(name: str, tensor: torch.Tensor) -> torch.Tensor:
            nonlocal moved
            if name not in chosen:
                return tensor
            values = tensor.float().flatten()
            indices = chosen[name]
            step = self.config.strength * (peak.read(name).float().flatten()[indices] - values[indices])
            moved += float(step.double().square().sum())
            values[indices] += step
            if self.config.strength == 1.0:  # the peak's own values, not a sum that rounds past them
                values[indices] = peak.read(name).float().flatten()[indices]
            return values.view_as(tensor)

        write_patched(now, context.output, patch)
        context.progress(2, 2, {})
        eligible = sum(math.prod(now.shape(name)) for name in names)
        return StepResult(
            cost=score.cost,
            report={
                "score": self.config.score,
                "strength": self.config.strength,
                "coordinates": sum(len(indices) for indices in chosen.values()),
                "eligible_coordinates": eligible,
                "all_coordinates": sum(math.prod(now.shape(name)) for name in now.names()),
                "norm": math.sqrt(moved),
                "norm_of_edit_since_peak": _norm_of_edit(now, peak),
                "seconds": round(time.monotonic() - started, 3),
            },
        )

    def _chosen(self, score: Score, now: WeightFolder, peak: WeightFolder, names: list[str]) -> dict[str, torch.Tensor]:
        """Returns, for each tensor, the flat indices of its chosen coordinates.

        The fraction counts all eligible coordinates of the model together. Equal scores go by the global index, first
        first, so the choice does not hang on how the sort breaks ties.
        """
        scores = [score.of(name, now.read(name).float() - peak.read(name).float()).flatten() for name in names]
        flat = torch.cat(scores)
        budget = max(1, round(self.config.fraction * flat.numel()))
        order = torch.sort(flat, descending=True, stable=True).indices[:budget]
        chosen: dict[str, torch.Tensor] = {}
        offset = 0
        for name, values in zip(names, scores, strict=True):
            inside = order[(order >= offset) & (order < offset + values.numel())] - offset
            if len(inside):
                chosen[name] = inside.sort().values
            offset += values.numel()
        return chosen


def _norm_of_edit(now: WeightFolder, peak: WeightFolder) -> float:
    return math.sqrt(sum(float((t.float() - peak.read(name).float()).double().square().sum()) for name, t in now))
