"""Policy KL: how far a step moved the policy on the prompts of each domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from harness import Probe, ProbeContext
from harness.training import Sample, log_probability, sample_policy
from harness.weights import loaded_model
from harness_probes.config import DomainsConfig
from harness_probes.places import chosen_domains


class PolicyKL(Probe):
    """KL(π_before ‖ π_after) on each domain's training prompts, estimated with completions sampled from π_before.

    The mean over y ~ π_before of log π_before(y|x) − log π_after(y|x), in nats, with its Monte Carlo standard error
    over prompts, since the completions of a prompt form a group. RL's Razor (arXiv 2509.04259) uses the KL on the new
    task's prompts as a predictor of forgetting: the rows with `trained` true. One row per step and domain. Memory: two
    models.
    """

    def __init__(self, config: DomainsConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        names = chosen_domains(context, self.config.domains)
        steps = list(zip(context.lineage, context.lineage[1:], strict=False))
        rows = []
        for done, (before, after) in enumerate(steps):
            for place, name in enumerate(names):
                context.progress(done * len(names) + place, len(steps) * len(names), {})
                old, samples, _ = sample_policy(
                    before.folder, context.domains[name], count=self.config.completions, seed=context.seed
                )
                new = loaded_model(after.folder, dtype=torch.float32).to(old.device)
                with torch.no_grad():
                    gaps = [float(log_probability(old, one) - log_probability(new, one)) for one in samples]
                tokens = sum(len(sample.ids) - sample.prompt_length for sample in samples)
                rows.append(
                    {
                        "step": after.step,
                        "label": after.label,
                        "domain": name,
                        "trained": name in after.domains,
                        "kl_nats_per_completion": sum(gaps) / len(gaps),
                        "stderr_nats_per_completion": _error(samples, gaps),
                        "kl_nats_per_token": sum(gaps) / max(tokens, 1),
                        "completions": len(samples),
                        "tokens": tokens,
                    }
                )
        return rows


def _error(samples: Sequence[Sample], gaps: Sequence[float]) -> float | None:
    """Returns the standard error of the mean, with prompts as the independent samples; None for one prompt."""
    groups: dict[int, list[float]] = {}
    for sample, gap in zip(samples, gaps, strict=True):
        groups.setdefault(sample.prompt, []).append(gap)
    means = [sum(group) / len(group) for group in groups.values()]
    if len(means) < 2:
        return None
    centre = sum(means) / len(means)
    return math.sqrt(sum((mean - centre) ** 2 for mean in means) / (len(means) - 1) / len(means))
