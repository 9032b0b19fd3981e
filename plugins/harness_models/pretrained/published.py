"""Sizes of the models that the packaged protocols name, so that `harness plan` estimates before anything is fetched.

The values are those of each model's own config.json on the Hugging Face hub. The parameters that they add up to are
those of the models' cards: 4.0, 7.6 and 8.0 billion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "Qwen/Qwen3-4B-Thinking-2507": {  # https://huggingface.co/Qwen/Qwen3-4B-Thinking-2507
        "model_type": "qwen3",
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
        "max_position_embeddings": 262144,
        "torch_dtype": "bfloat16",
    },
    "Qwen/Qwen2.5-7B": {  # https://huggingface.co/Qwen/Qwen2.5-7B
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
    },
    "meta-llama/Llama-3.1-8B": {  # https://huggingface.co/meta-llama/Llama-3.1-8B
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
    },
}
