"""The probe `neuron-overlap`: do the steps of a method change the same neurons most?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harness import Probe, ProbeContext
from harness.weights import WeightFolder, check_same_tensors
from harness_probes.channels import chance_jaccard, channel_deltas, jaccard, top_channels
from harness_probes.config import OverlapConfig


class NeuronOverlap(Probe):
    """The Jaccard index of the most changed neurons of every two steps, with the value expected by chance.

    A neuron is an MLP intermediate channel. Its change is the Euclidean norm of the delta of its weights in all
    projections (in Llama its rows of gate_proj and up_proj and its column of down_proj). The top 10 % over all layers
    count (arXiv 2606.02398, as reported by its readers). J = |A ∩ B| / |A ∪ B|; two random sets of share p have
    p / (2 − p) (derived by us). One row per pair of steps, none for a method of one step. Memory: one tensor of two
    checkpoints.
    """

    def __init__(self, config: OverlapConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        tops = []
        steps = list(zip(context.lineage, context.lineage[1:], strict=False))
        channels = 0
        for done, (before, after) in enumerate(steps):
            context.progress(done, len(steps), {})
            old, new = WeightFolder(before.folder), WeightFolder(after.folder)
            check_same_tensors(old, new)
            deltas = channel_deltas(old, new)
            channels = sum(len(values) for values in deltas.values())
            tops.append((after, top_channels(deltas, self.config.top_share)))
        return [
            {
                "step": first.step,
                "label": first.label,
                "other_step": second.step,
                "other_label": second.label,
                "neurons": channels,
                "top_neurons": len(one),
                "shared_neurons": len(one & other),
                "jaccard": jaccard(one, other),
                "chance_jaccard": chance_jaccard(self.config.top_share),
            }
            for (first, one), (second, other) in combinations(tops, 2)
        ]
