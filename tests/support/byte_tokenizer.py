"""A tokenizer of bytes with whole answers as tokens, for small models with a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def byte_tokenizer(pieces: Sequence[str], template: str, *, longest: int) -> Any:
    """Returns the tokenizer. pieces: tokens beside the bytes and the marks, which are not special: they stay in decoded
    text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in (PAD, START, END)])
    tokenizer.add_tokens([AddedToken(text, special=False) for text in pieces])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left", model_max_length=longest
    )
    wrapped.chat_template = template
    return wrapped
