"""How a dense decoder becomes a mixture of experts of the same library: config keys and tensor names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import StepFailed

_MLP = re.compile(r"model\.layers\.(\d+)\.mlp\.(gate_proj|up_proj|down_proj)\.weight$")
EXPERTS_KEY = "expert_domains"
"""The key of the config.json with the domains of each expert. transformers keeps keys that it does not know."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """model_type and architecture: of the mixture. count: the config key of the number of experts. more: further keys,
    from the dense config. projection, router: the names of tensors, given layer, and expert and dense projection."""

    model_type: str
    architecture: str
    count: str
    more: Callable[[Mapping[str, Any]], dict[str, Any]]
    projection: Callable[[int, int, str], str]
    router: Callable[[int], str]


_MIXTRAL_PROJECTIONS = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}

FAMILIES: Mapping[str, Family] = {
    "llama": Family(
        model_type="mixtral",
        architecture="MixtralForCausalLM",
        count="num_local_experts",
        more=lambda config: {"sliding_window": None},
        projection=lambda layer, expert, name: (
            f"model.layers.{layer}.block_sparse_moe.experts.{expert}.{_MIXTRAL_PROJECTIONS[name]}.weight"
        ),
        router=lambda layer: f"model.layers.{layer}.block_sparse_moe.gate.weight",
    ),
    "qwen3": Family(
        model_type="qwen3_moe",
        architecture="Qwen3MoeForCausalLM",
        count="num_experts",
        more=lambda config: {
            "moe_intermediate_size": config["intermediate_size"],
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        },
        projection=lambda layer, expert, name: f"model.layers.{layer}.mlp.experts.{expert}.{name}.weight",
        router=lambda layer: f"model.layers.{layer}.mlp.gate.weight",
    ),
}
"""The mixture of each `model_type`."""


def family_of(config: Mapping[str, Any]) -> Family:
    """Returns the mixture that a dense model with this config.json can become. Raises StepFailed if there is none."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise StepFailed(
            f"moe makes mixtures of {' and '.join(sorted(FAMILIES))} models, and this one is {kind}",
            hint="use another merge, such as ties",
        )
    for key in ("mlp_bias", "attention_bias"):
        if config.get(key):
            raise StepFailed(
                f"the model has biases ({key}), which {FAMILIES[kind].model_type} has not", hint="use another merge"
            )
    return FAMILIES[kind]


def mixture_config(config: Mapping[str, Any], domains: Sequence[Sequence[str]], top_k: int) -> dict[str, Any]:
    """Returns the config.json of the mixture. domains: of each expert."""
    family = family_of(config)
    return {
        **config,
        **family.more(config),
        "model_type": family.model_type,
        "architectures": [family.architecture],
        family.count: len(domains),
        "num_experts_per_tok": top_k,
        EXPERTS_KEY: [list(names) for names in domains],
    }


def projection_of(name: str) -> tuple[int, str] | None:
    """Returns the layer and the projection of an MLP's weight, None for another tensor."""
    found = _MLP.match(name)
    return None if found is None else (int(found[1]), found[2])
