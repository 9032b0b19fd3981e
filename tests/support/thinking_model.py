"""A Qwen3 of random weights whose chat template opens the thinking, small enough to be trained in a test."""

from __future__ import annotations

from pathlib import Path

from byte_tokenizer import END, byte_tokenizer

END_OF_THOUGHT = "</think>\n"
ANSWERS = (
    "```python\nprint(sum(map(int, input().split())))\n```\n",
    "\\boxed{35}\n",
    "Answer: C\n",
    "Once upon a time",
)
"""What the model may answer, a token each, so that rewards have something to tell apart."""

TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n"
    "{{ message.content.split('</think>')[-1] if message.role == 'assistant' else message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""Written anew in the manner of Qwen3-4B-Thinking's: marks of turns, past thoughts left out, a thought opened."""


def thinking_model(folder: Path, *, seed: int = 0) -> Path:
    """Writes the model and its tokenizer of bytes, pieces and marks to `folder`; returns it."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    # As in Qwen3's tokenizer, the marks of the thinking are tokens and not special.
    wrapped = byte_tokenizer(("<think>", "</think>", END_OF_THOUGHT, *ANSWERS), TEMPLATE, longest=4096)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=len(wrapped),
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=16,
                max_position_embeddings=4096,
                tie_word_embeddings=False,
                pad_token_id=wrapped.pad_token_id,
                eos_token_id=wrapped.eos_token_id,
                bos_token_id=None,
            )
        )
    ids = wrapped.convert_tokens_to_ids
    newline = wrapped("\n")["input_ids"]
    with torch.no_grad():
        # An inclination to end the thought after a line, to answer then, and to end: a direction of the hidden states
        # for each, which its tokens have and the last layer reads. All else is random.
        model.model.embed_tokens.weight[:, 0] = 1.0
        habits = (
            (newline, ids([END_OF_THOUGHT])),
            (ids([END_OF_THOUGHT]), ids(list(ANSWERS))),
            (ids(list(ANSWERS)), ids([END])),
        )
        for direction, (before, after) in enumerate(habits, start=1):
            model.model.embed_tokens.weight[before, direction] = 1.0
            model.lm_head.weight[after, direction] = 1.9
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder
