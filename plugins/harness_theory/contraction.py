"""The probe `contraction`: does a recovery move back to the peak where the target's reward is curved?"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness import LineageEntry, ProbeContext
from harness.training import GradientProbe, last_training
from harness.weights import WeightFolder, check_same_tensors, loaded_model
from harness_theory.config import ContractionConfig
from harness_theory.eigenvectors import curvature_subspace
from harness_theory.sampled_policy import SampledPolicy
from harness_theory.updates import target_of

SUBSPACE, COMPLEMENT, RANDOM = "subspace", "complement", "random-subspace"


class Contraction(GradientProbe):
    """The distance from the target's peak θ_A over the optimizer steps t of each recovery that trains on the target.

    arXiv 2606.02398: a refresh of step size α gives ‖P_S(θ_t − θ_A)‖ ≤ (1 − αμ)^t ‖P_S(θ_0 − θ_A)‖, μ the least
    curvature on S, so the logarithm falls linearly, and the part outside S stays. One row per recovery, model and part:
    - `subspace`: ‖P_S(θ_t − θ_A)‖, S as in `causal-split`; `complement`: the norm of the rest;
    - `random-subspace`: the same with as many random directions, `draws` times.
    `log_ratio`: the natural logarithm of the distance, relative to that before the recovery. Memory: as `causal-split`
    for the subspace, then two vectors of the model's size beside it.
    """

    def __init__(self, config: ContractionConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        target = target_of(context, self.config.target)
        rows: list[Mapping[str, Any]] = []
        for step, states in context.states.items():
            recovery, before = context.lineage[step], context.lineage[step - 1]
            peak = last_training(context.lineage[:step], target)
            if target in recovery.domains and peak is not None:
                rows += self._of_recovery(
                    context, target, peak, [(0, before.folder), *sorted(states.items())], recovery
                )
        return rows

    def _of_recovery(
        self,
        context: ProbeContext,
        target: str,
        peak: LineageEntry,
        models: Sequence[tuple[int, Path]],
        recovery: LineageEntry,
    ) -> Iterator[Mapping[str, Any]]:
        """Yields the rows of one recovery, from the model before it on."""
        subspace = curvature_subspace(context, self.config, peak, context.domains[target])
        policy = SampledPolicy(loaded_model(peak.folder, dtype=torch.float32), [])
        start = WeightFolder(peak.folder)
        controls = [self._random_basis(context, policy.size, draw) for draw in range(self.config.draws)]
        first: dict[tuple[str, int], float] = {}
        for done, (optimizer_step, folder) in enumerate(models):
            context.progress(done, len(models), {})
            model = WeightFolder(folder)
            check_same_tensors(start, model)
            away = policy.flat(lambda name, model=model: model.read(name).float() - start.read(name).float())
            inside = float((subspace.vectors @ away).norm())
            distances = {
                (SUBSPACE, 0): inside,
                (COMPLEMENT, 0): math.sqrt(max(0.0, float(away.double().square().sum()) - inside**2)),
                **{(RANDOM, draw): float((basis @ away).norm()) for draw, basis in enumerate(controls)},
            }
            for place, distance in distances.items():
                whole = first.setdefault(place, distance)
                yield {
                    "target": target,
                    "peak": peak.label,
                    "recovery": recovery.label,
                    "part": place[0],
                    "optimizer_step": optimizer_step,
                    "draw": place[1],
                    "distance": distance,
                    "log_ratio": math.log(distance / whole) if distance and whole else None,
                    "rank": self.config.rank,
                }

    def _random_basis(self, context: ProbeContext, size: int, draw: int) -> torch.Tensor:
        """Returns as many random orthonormal directions as the subspace has: [rank, weights]."""
        seed = random.Random(f"{context.seed}/contraction/{draw}").getrandbits(63)
        directions = torch.randn(size, self.config.rank, generator=torch.Generator().manual_seed(seed))
        return torch.linalg.qr(directions)[0].T
