"""The size of a causal language model, computed from its config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes per parameter, by the name of the dtype."""
EXACT = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""The `model_type`s whose parameters are counted exactly."""


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A dense decoder. parameters: their number, with tied ones counted once. multiplied: the parameters in matrix
    products for each token: all except an untied input embedding. attention_width: heads × head_dim. positions: the
    maximum sequence length. dtype: of the published weights. exact: False if parameters are counted as for Llama."""

    parameters: int
    multiplied: int
    layers: int
    attention_width: int
    positions: int | None = None
    dtype: str | None = None
    exact: bool = True

    def forward_flops(self, tokens: int) -> int:
        """Returns the floating-point operations of one sequence's forward pass, or of its generation with a KV cache.

        2·N per token, plus 2·layers·tokens·attention_width per token for causal attention (Kaplan et al. 2020,
        arXiv 2001.08361, equation 2.2 and table 1). N includes the output head.
        """
        return 2 * tokens * (self.multiplied + self.layers * tokens * self.attention_width)


def shape_of(config: Mapping[str, Any]) -> ModelShape | None:
    """Returns the shape of the model with this config.json, None for mixtures of experts, quantized weights, and
    configs without the sizes of a decoder."""
    if any("expert" in key for key in config) or config.get("quantization_config"):
        return None
    hidden, inner = _size(config, "hidden_size"), _size(config, "intermediate_size")
    layers, heads = _size(config, "num_hidden_layers"), _size(config, "num_attention_heads")
    vocabulary = _size(config, "vocab_size")
    if hidden is None or inner is None or layers is None or heads is None or vocabulary is None:
        return None
    family = config.get("model_type")
    head = _size(config, "head_dim") or hidden // heads
    queries, keys = heads * head, (_size(config, "num_key_value_heads") or heads) * head
    attention = 2 * hidden * queries + 2 * hidden * keys
    if family == "qwen2":
        attention += queries + 2 * keys
    elif config.get("attention_bias") and family != "mistral":
        attention += queries + 2 * keys + hidden
    if family == "qwen3":
        attention += 2 * head  # the norms of queries and keys
    feed_forward = 3 * hidden * inner + (2 * inner + hidden if family == "llama" and config.get("mlp_bias") else 0)
    embedding = vocabulary * hidden
    multiplied = layers * (attention + feed_forward + 2 * hidden) + hidden + embedding
    dtype = config.get("dtype") or config.get("torch_dtype")
    return ModelShape(
        parameters=multiplied if config.get("tie_word_embeddings") else multiplied + embedding,
        multiplied=multiplied,
        layers=layers,
        attention_width=queries,
        positions=_size(config, "max_position_embeddings"),
        dtype=dtype if dtype in BYTES else None,
        exact=family in EXACT,
    )


def _size(config: Mapping[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
