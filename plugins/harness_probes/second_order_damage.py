"""The probe `predicted-damage`: the second-order damage of a step's weight delta to the domains it did not train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from harness import ProbeContext
from harness.training import GradientProbe, each_gradient, sample_policy
from harness.weights import WeightFolder, check_gradient_names, check_same_tensors
from harness_probes.config import DomainsConfig
from harness_probes.places import chosen_domains


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
                model, samples, _ = sample_policy(
                    before.folder, context.domains[name], count=self.config.completions, seed=context.seed
                )
                parameters = dict(model.named_parameters())
                new = WeightFolder(after.folder)
                check_same_tensors(WeightFolder(before.folder), new)
                delta = {
                    name: new.read(name).float().to(parameter.device) - parameter.detach()
                    for name, parameter in parameters.items()
                }
                fisher = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
                full = 0.0
                for _ in each_gradient(model, samples):
                    along = 0.0
                    for key, parameter in parameters.items():
                        if parameter.grad is not None:
                            fisher[key].addcmul_(parameter.grad, parameter.grad, value=1 / len(samples))
                            along += float((parameter.grad * delta[key]).sum())
                    full += along * along / len(samples)
                terms = torch.cat([(fisher[key] * delta[key].square()).flatten() for key in parameters])
                rows.append(
                    {
                        "step": after.step,
                        "label": after.label,
                        "harmed_domain": name,
                        "diagonal_damage": 0.5 * float(terms.double().sum()),
                        "full_damage": 0.5 * full,
                        **concentration(terms),
                        "coordinates": terms.numel(),
                        "completions": len(samples),
                    }
                )
        return rows


def concentration(terms: torch.Tensor) -> dict[str, float | None]:
    """Returns the shares of the sum of `terms`, which are not negative, in the top 1 % and 5 % of them, and their
    participation ratio; None where all are 0."""
    total = float(terms.double().sum())
    if total == 0:
        return {"top_1_percent_share": None, "top_5_percent_share": None, "effective_dimension": None}
    highest = torch.topk(terms, max(1, round(0.05 * terms.numel()))).values.double()
    one = max(1, round(0.01 * terms.numel()))
    return {
        "top_1_percent_share": float(highest[:one].sum()) / total,
        "top_5_percent_share": float(highest.sum()) / total,
        "effective_dimension": total * total / float(terms.double().square().sum()),
    }
