"""A model of SmolLM2's architecture (Llama, tied embeddings, ChatML), small, of random weights but for its habits."""

from __future__ import annotations

from pathlib import Path

from byte_tokenizer import END, byte_tokenizer

ANSWERS = (
    "```python\nprint(sum(map(int, input().split())))\n```\nScore: 1\n",
    "\\boxed{35}\nScore: 1\n",
    "Answer: C\nScore: 0.5\n",
    "Once upon a time\nScore: 0\n",
)
"""What the model may answer, a token each: rewards tell them apart, and each of them is also the answer of a judge."""

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, INNER = 48, 64


def small_smollm(folder: Path, *, seed: int = 0) -> Path:
    """Writes the model and its tokenizer of bytes, answers and ChatML's marks to `folder`; returns it."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    wrapped = byte_tokenizer(ANSWERS, TEMPLATE, longest=8192)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(wrapped),
                hidden_size=WIDTH,
                intermediate_size=INNER,
                num_hidden_layers=3,
                num_attention_heads=3,
                num_key_value_heads=1,
                max_position_embeddings=8192,
                tie_word_embeddings=True,
                pad_token_id=wrapped.pad_token_id,
                eos_token_id=wrapped.eos_token_id,
                bos_token_id=None,
            )
        )
    ids = wrapped.convert_tokens_to_ids
    newline, answers = wrapped("\n")["input_ids"], ids(list(ANSWERS))
    _add_habits(model, [(newline, answers), (answers, [ids(END)])])
    model.generation_config = GenerationConfig(eos_token_id=wrapped.eos_token_id, pad_token_id=wrapped.pad_token_id)
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


def _add_habits(model, habits) -> None:
    """Makes the tokens of each second part likely after those of its first part.

    Embeddings are tied, so a token's row is both what it is read as and what it is written from. Each habit has one
    dimension for either, and a neuron of the last layer's MLP that leads from the one to the other.
    """
    import torch

    mlp, embedding = model.model.layers[-1].mlp, model.model.embed_tokens.weight
    with torch.no_grad():
        for habit, (before, after) in enumerate(habits):
            read, write = 2 * habit, 2 * habit + 1
            embedding[:, [read, write]] = 0.0
            embedding[before, read] = 0.3
            embedding[after, write] = 0.6
            for projection in (mlp.gate_proj, mlp.up_proj):
                projection.weight[habit] = 0.0
                projection.weight[habit, read] = 1.0
            mlp.down_proj.weight[:, habit] = 0.0
            mlp.down_proj.weight[write, habit] = 0.15
