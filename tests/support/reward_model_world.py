"""Reward models of random weights."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

from harness import RewardBatch
from harness_rewards.reward_model import RewardModel, RewardModelConfig

CHARACTERS = [*map(chr, range(32, 127))]


def save(folder, *, kind=LlamaForSequenceClassification, labels=1, template=None):
    vocabulary = {token: index for index, token in enumerate(["<pad>", "<eos>", "<unk>", *CHARACTERS])}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    tokenizer.chat_template = template
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(
            LlamaConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_labels=labels,
                pad_token_id=0,
                eos_token_id=1,
            )
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def reward(model, **keys):
    return RewardModel(RewardModelConfig(model=model, device="cpu", **keys))


def scores(made, prompts, completions):
    return made.score(RewardBatch(prompts=prompts, completions=completions, rows=[{}] * len(prompts)))
