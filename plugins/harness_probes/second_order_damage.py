"""The probe `predicted-damage`: the second-order damage of a step's weight delta to the domains it did not train."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from harness import LineageEntry, ProbeContext
from harness.training import GradientProbe, each_gradient, sample_policy
from harness.weights import WeightFolder, check_gradient_names, check_same_tensors
from harness_probes.config import DomainsConfig
from harness_probes.places import chosen_domains

_AT_ONCE = 1 << 22
"""Terms that are converted to fp64 at a time."""


class SecondOrderDamage(GradientProbe):
    """½ δᵀFδ of each step for each domain that it did not train, and its concentration on few weights.

    arXiv 2606.02398: the damage of a later weight delta δ to domain A is about ½ δᵀ H_A δ. Here F, the Fisher matrix of
    the policy on A's prompts at the checkpoint before the step, approximates H_A. With g_n = ∇ log π(y_n|x_n) of N
    completions,
    - `diagonal_damage` = ½ Σ_i F_i δ_i², F_i = mean_n g_ni²;
    - `full_damage` = ½ mean_n (g_n · δ)², which is ½ δᵀFδ for F = mean_n g_n g_nᵀ, exactly;
    - `top_1_percent_share`, `top_5_percent_share`: the shares of the diagonal damage in the top weights;
    - `effective_dimension` = (Σ s)² / Σ s², s_i = F_i δ_i²: the participation ratio (Gao et al. 2017,
      bioRxiv 214262), which is the number of weights where all have the same s_i.
    Damage is in nats per completion. It is the second-order KL of the delta and not the loss of reward: for a domain
    with high entropy it can be large although the reward hardly changes. One row per step and domain. Memory: one model
    with its gradient, the delta and the Fisher diagonal, all fp32.
    """

    def __init__(self, config: DomainsConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        names = chosen_domains(context, self.config.domains)
        steps = list(zip(context.lineage, context.lineage[1:], strict=False))
        check_gradient_names(context.lineage[0].folder)
        rows: list[Mapping[str, Any]] = []
        for done, (before, after) in enumerate(steps):
            for place, name in enumerate(names):
                context.progress(done * len(names) + place, len(steps) * len(names), {})
                if name in after.domains:
                    continue
                rows.append(self._damage(before, after, name, context))
        return rows

    def _damage(self, before: LineageEntry, after: LineageEntry, name: str, context: ProbeContext) -> Mapping[str, Any]:
        model, samples, _ = sample_policy(
            before.folder, context.domains[name], count=self.config.completions, seed=context.seed
        )
        parameters = dict(model.named_parameters())
        new = WeightFolder(after.folder)
        check_same_tensors(WeightFolder(before.folder), new)
        delta = {
            key: new.read(key).float().to(parameter.device) - parameter.detach()
            for key, parameter in parameters.items()
        }
        fisher = {key: torch.zeros_like(parameter) for key, parameter in parameters.items()}
        full = 0.0
        for _ in each_gradient(model, samples):
            along = 0.0
            for key, parameter in parameters.items():
                if parameter.grad is not None:
                    fisher[key].addcmul_(parameter.grad, parameter.grad, value=1 / len(samples))
                    along += float((parameter.grad * delta[key]).sum())
            full += along * along / len(samples)
        model.zero_grad(set_to_none=True)
        terms = torch.cat([fisher.pop(key).mul_(delta.pop(key).square_()).flatten().cpu() for key in parameters])
        return {
            "step": after.step,
            "label": after.label,
            "harmed_domain": name,
            "diagonal_damage": 0.5 * float(terms.numpy().sum(dtype=np.float64)),
            "full_damage": 0.5 * full,
            **concentration(terms),
            "coordinates": terms.numel(),
            "completions": len(samples),
        }


def concentration(terms: torch.Tensor) -> dict[str, float | None]:
    """Returns the shares of the sum of `terms`, which are not negative, in the top 1 % and 5 % of them, and their
    participation ratio; None where all are 0. Changes the order of `terms`, and needs no memory beside them."""
    values = terms.numpy()
    total = float(values.sum(dtype=np.float64))
    if total == 0:
        return {"top_1_percent_share": None, "top_5_percent_share": None, "effective_dimension": None}
    places = [len(values) - max(1, round(share * len(values))) for share in (0.05, 0.01)]
    values.partition(places)
    five, one = (float(values[place:].sum(dtype=np.float64)) for place in places)
    squares = math.fsum(float(part.double().square().sum()) for part in terms.split(_AT_ONCE))
    return {
        "top_1_percent_share": one / total,
        "top_5_percent_share": five / total,
        "effective_dimension": total * total / squares,
    }
