"""The probe `active-routes`: do domains use the same MLP channels of a checkpoint?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harness import Probe, ProbeContext
from harness_probes.channels import chance_jaccard, jaccard, top_channels
from harness_probes.config import RoutesConfig
from harness_probes.places import entry_at
from harness_probes.routes import channel_activity


class ActiveRoutes(Probe):
    """The Jaccard index of two domains' active routes, with the value expected by chance.

    arXiv 2606.02398 claims that domains share active computation routes; its definition is not known to us. Ours: the
    top 10 % of the MLP channels over all layers by mean |a|, or mean |a · ∂ log π/∂a|, over the tokens of completions
    that the checkpoint samples for the domain. a is a channel's input to the projection out of the MLP (down_proj in
    Llama). One row per pair of domains. Memory: one model and its gradient.
    """

    def __init__(self, config: RoutesConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        entry = entry_at(context, self.config.at)
        routes = {}
        channels = 0
        for done, (name, domain) in enumerate(context.domains.items()):
            context.progress(done, len(context.domains), {})
            activity = channel_activity(entry.folder, domain, self.config, seed=context.seed)
            channels = sum(len(values) for values in activity.values())
            routes[name] = top_channels(activity, self.config.top_share)
        return [
            {
                "at_step": entry.step,
                "at_label": entry.label,
                "domain": first,
                "other_domain": second,
                "measure": self.config.measure,
                "channels": channels,
                "active_channels": len(routes[first]),
                "shared_channels": len(routes[first] & routes[second]),
                "jaccard": jaccard(routes[first], routes[second]),
                "chance_jaccard": chance_jaccard(self.config.top_share),
                "completions": self.config.completions,
            }
            for first, second in combinations(context.domains, 2)
        ]
