"""The probe `gate-accuracy`: where the routers of a mixture send the tokens of each domain's prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from harness import Probe, ProbeContext
from harness.domains import parse_json
from harness.weights import CONFIG, loaded_model
from harness_merges.config import GateAccuracyConfig
from harness_merges.gates import prompt_batches, router_choices
from harness_merges.mixture_layout import EXPERTS_KEY


class GateAccuracy(Probe):
    """Measures the last checkpoint of a method. A model that is no mixture of `moe` counts as a single expert."""

    def __init__(self, config: GateAccuracyConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        """Returns a row per domain that an expert trained; for a single expert, per domain of the protocol.

        accuracy: the share of prompt tokens whose first expert trained the domain, over all layers; first_layer,
        last_layer: in these. chance: the share of experts that trained the domain.
        """
        from transformers import AutoTokenizer

        folder = context.lineage[-1].folder
        experts: list[list[str]] = parse_json((folder / CONFIG).read_bytes()).get(EXPERTS_KEY) or []
        if not experts:
            return [_row(name, torch.ones(1, dtype=torch.float64), 1.0) for name in sorted(context.domains)]
        model, tokenizer = loaded_model(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
        rows = []
        for name in sorted({name for names in experts for name in names} & set(context.domains)):
            own = torch.tensor([name in names for names in experts])
            hits = []
            for batch in prompt_batches(tokenizer, context.domains[name], self.config.prompts, context.seed):
                chosen = router_choices(model, batch)
                hits.append(own[chosen].double())
            rows.append(_row(name, torch.cat(hits, dim=1).mean(dim=1), float(own.double().mean())))
        return rows


def _row(domain: str, by_layer: torch.Tensor, chance: float) -> dict[str, Any]:
    first, last = float(by_layer[0]), float(by_layer[-1])
    return {
        "domain": domain,
        "accuracy": float(by_layer.mean()),
        "first_layer": first,
        "last_layer": last,
        "chance": chance,
    }
