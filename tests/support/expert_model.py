"""A tiny mixture of experts, whose weights transformers fuses while it loads them."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig, MixtralConfig, MixtralForCausalLM

from harness.testing.tiny_world import tiny_checkpoint


def expert_checkpoint(folder: Path) -> Path:
    """Writes a two-layer Mixtral with random weights and the tokenizer of `tiny_checkpoint`. Returns `folder`."""
    tiny_checkpoint(folder)
    tiny = AutoConfig.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    MixtralForCausalLM(
        MixtralConfig(
            vocab_size=tiny.vocab_size,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            num_local_experts=4,
            max_position_embeddings=tiny.max_position_embeddings,
            pad_token_id=tiny.pad_token_id,
            eos_token_id=tiny.eos_token_id,
            bos_token_id=None,
        )
    ).save_pretrained(folder)
    return folder
