"""A base model that is built on this machine, once per config, and kept in the user's cache."""

import os
import shutil
import tempfile
from pathlib import Path
from string import ascii_letters, digits, punctuation

from pydantic import Field

from harness import BaseModel, Config

PAD, END = "<pad>", "<eos>"
VERSION = 1  # count it up when `build` changes: it is in the fingerprint


class RandomLlamaConfig(Config):
    """What a protocol may set under `model`."""

    hidden_size: int = Field(default=32, ge=8, multiple_of=8, description="width of the model")
    seed: int = Field(default=0, ge=0, description="that the weights are drawn from")


class RandomLlama(BaseModel):
    """Two layers of random weights: the contract is a folder with a model and its tokenizer, and a fingerprint."""

    def __init__(self, config: RandomLlamaConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        """Returns what changes with the weights. It is asked for by `harness plan`: keep torch out of it."""
        return f"random-llama-{VERSION}-{self.config.hidden_size}-{self.config.seed}"

    def folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "harness-NAME"
        final = cache / self.fingerprint()
        if not final.is_dir():
            cache.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(dir=cache))
            build(made, self.config)
            try:
                made.rename(final)  # another process never sees half a model
            except OSError:  # another process was first
                shutil.rmtree(made)
        return final


def build(folder: Path, config: RandomLlamaConfig) -> None:
    """Writes the model and its tokenizer as Hugging Face's libraries read them."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    characters = f" \n{digits}{ascii_letters}{punctuation}"
    vocabulary = {token: index for index, token in enumerate([PAD, END, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left", model_max_length=256
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(vocabulary),
                hidden_size=config.hidden_size,
                intermediate_size=2 * config.hidden_size,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=256,
                pad_token_id=vocabulary[PAD],
                eos_token_id=vocabulary[END],
                bos_token_id=None,
            )
        ).save_pretrained(folder)
