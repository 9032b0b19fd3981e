"""The lab's tokenizer: one token per word, digit or symbol. Decoding restores the original text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_lab.words import END, PAD, UNKNOWN, vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_LENGTH = 128
_UNITS = r"Q:| A:| ?f\(|\)=| ?[A-Za-z]+|[^A-Za-z]"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Returns the tokenizer for transformers: padding on the left, no special tokens added."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = {token: index for index, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_UNITS), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )
