"""The probe `signed-curvature`: does a quadratic model of the target's reward predict its loss along an update?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness import ProbeContext, TrainingDomain
from harness.training import GradientProbe, measurement_seed, rewards_of, sample_policy
from harness_theory.config import SignedCurvatureConfig
from harness_theory.sampled_policy import SampledPolicy, Term, advantages_of, expected_reward
from harness_theory.updates import later_updates, peak_of, shifted


class SignedCurvature(GradientProbe):
    """The expected and the measured loss of the target's reward at θ_A + t·δ_B, for each later update δ_B.

    θ_A is the target's peak and R_A the mean reward on its training prompts. Rows are in units of that reward.
    - `gradient_term` = −t ∇R_A·δ, `curvature_term` = −½ t² δᵀ∇²R_A δ, `expected_loss` is their sum. Both derivatives
      are exact for the sampled completions, and signed: unlike ½ δᵀFδ, they can predict a gain.
    - `measured_loss`: the mean reward of completions sampled at θ_A − that of completions sampled at θ_A + t·δ, on the
      same prompts with the same seed.
    The standard errors are over prompts. One row per update and scale t. Memory: the model with its second derivatives
    on 8 completions.
    """

    def __init__(self, config: SignedCurvatureConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        found = peak_of(context, self.config.target)
        updates = [] if found is None else later_updates(context.lineage, found[0], self.config.against)
        if found is None or not updates:
            return []
        peak, target = found
        domain = context.domains[target]
        model, samples, rows = sample_policy(
            peak.folder, domain, count=self.config.completions, seed=measurement_seed(context)
        )
        policy = SampledPolicy(model, samples)
        advantages, _ = advantages_of(samples, rows, domain)
        prompts = [sample.prompt for sample in samples]
        before = self._reward_by_prompt(peak.folder, domain, context)
        measured: list[Mapping[str, Any]] = []
        for update in updates:
            delta = update.vector(policy)
            slopes, bends = _derivatives(policy, expected_reward(advantages), prompts, delta)
            for scale in self.config.scales:
                context.progress(len(measured), len(updates) * len(self.config.scales), {})
                with shifted(peak.folder, policy, scale * delta, context.scratch / "model") as folder:
                    after = self._reward_by_prompt(folder, domain, context)
                lost = [before[prompt] - after[prompt] for prompt in sorted(before.keys() & after.keys())]
                first = [-scale * slope for slope in slopes]
                second = [-0.5 * scale**2 * bend for bend in bends]
                expected = [one + other for one, other in zip(first, second, strict=True)]
                measured.append(
                    {
                        "target": target,
                        "peak": peak.label,
                        "against": update.after.label,
                        "against_step": update.after.step,
                        "scale": scale,
                        "gradient_term": math.fsum(first),
                        "curvature_term": math.fsum(second),
                        "expected_loss": math.fsum(expected),
                        "expected_stderr": _error([len(expected) * one for one in expected]),
                        "measured_loss": math.fsum(lost) / len(lost),
                        "measured_stderr": _error(lost),
                        "reward_at_peak": math.fsum(before.values()) / len(before),
                        "norm": scale * float(delta.norm()),
                        "completions": len(samples),
                    }
                )
        return measured

    def _reward_by_prompt(self, folder: Path, domain: TrainingDomain, context: ProbeContext) -> dict[int, float]:
        _, samples, rows = sample_policy(folder, domain, count=self.config.completions, seed=measurement_seed(context))
        groups: dict[int, list[float]] = {}
        for sample, value in zip(samples, rewards_of(samples, rows, domain), strict=True):
            if value is not None:
                groups.setdefault(sample.prompt, []).append(value)
        return {prompt: math.fsum(group) / len(group) for prompt, group in groups.items()}


def _derivatives(
    policy: SampledPolicy, term: Term, prompts: Sequence[int], delta: torch.Tensor
) -> tuple[list[float], list[float]]:
    """Returns ∇J·δ and δᵀ∇²J δ of each prompt's part of a sum J over completions."""
    slopes, bends = [], []
    for prompt in dict.fromkeys(prompts):
        own = torch.tensor([one == prompt for one in prompts])
        part = Term(factors=torch.where(own, term.factors, 0.0), of_gap=term.of_gap)
        slopes.append(float(policy.gradient(part) @ delta))
        bends.append(float(policy.product(part, delta) @ delta))
    return slopes, bends


def _error(values: Sequence[float]) -> float | None:
    """Returns the standard error of the mean of independent values, None for a single one."""
    if len(values) < 2:
        return None
    centre = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1) / len(values))
