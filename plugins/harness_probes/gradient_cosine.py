"""The probe `gradient-cosine`: do the domains' policy gradients at one checkpoint have the same direction?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harness import Probe, ProbeContext
from harness.training import cached_gradients
from harness.weights import WeightFolder, group_parameters
from harness_probes.config import SampledConfig
from harness_probes.places import entry_at


class GradientCosine(Probe):
    """cos(g_A, g_B) = ⟨g_A, g_B⟩ / (‖g_A‖ ‖g_B‖) of every two domains, over the whole model and for each module.

    g is the mean policy gradient of the domain's reward on sampled completions (REINFORCE with a group baseline). Used
    by arXiv 2602.02301, which removes conflicts module by module, and arXiv 2606.02398, which claims that domains whose
    gradients are nearly orthogonal over the whole model still interfere. One row per pair of domains and module; the
    module `all` is the whole model. A cosine is null where a norm is 0. Memory: one model and its gradient while
    sampling, then one tensor of two gradients.
    """

    def __init__(self, config: SampledConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        entry = entry_at(context, self.config.at)
        gradients: dict[str, WeightFolder] = {}
        for done, (name, domain) in enumerate(context.domains.items()):
            context.progress(done, len(context.domains), {})
            gradients[name], _ = cached_gradients(
                "gradient", context, checkpoint=entry, domain=domain, count=self.config.completions
            )
        rows = []
        for first, second in combinations(context.domains, 2):
            for module, (dot, one, other) in _products(gradients[first], gradients[second]).items():
                rows.append(
                    {
                        "at_step": entry.step,
                        "at_label": entry.label,
                        "domain": first,
                        "other_domain": second,
                        "module": module,
                        "cosine": dot / (one * other) ** 0.5 if one and other else None,
                        "gradient_norm": one**0.5,
                        "other_gradient_norm": other**0.5,
                        "completions": self.config.completions,
                    }
                )
        return rows


def _products(first: WeightFolder, second: WeightFolder) -> dict[str, tuple[float, float, float]]:
    """Returns ⟨g, h⟩, ‖g‖² and ‖h‖², for the whole model as `all` and for each module."""
    sums: dict[str, list[float]] = {"all": [0.0, 0.0, 0.0]}
    for name, group in group_parameters(first.names()).items():
        one, other = first.read(name).double().flatten(), second.read(name).double().flatten()
        products = float(one @ other), float(one @ one), float(other @ other)
        for module in ("all", group.module):
            sums[module] = [a + b for a, b in zip(sums.get(module, [0.0] * 3), products, strict=True)]
    return {module: (dot, one, other) for module, (dot, one, other) in sums.items()}
