"""Samples completions of a policy outside of a trainer, with exactly the tokens that TRL's GRPOTrainer would sample.

Probes, Fisher information, predictions and previews sample here. Training samples through TRL; a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from transformers import GenerationConfig

from harness.domains.completions import opens_thinking
from harness.plugin.sampling import Sampling
from harness.training.endings import Endings, generation_settings, text_for_reward


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sampled completion.

    prompt: the index of its prompt. ids: the tokens of prompt and completion; the first `prompt_length` are the
    prompt's. text: the completion as rewards see it. truncated: whether it reached the maximum length. masked: whether
    training excludes it from the loss. temperature: the sampling temperature, by which logits are divided.
    """

    prompt: int
    ids: torch.Tensor
    prompt_length: int
    text: str
    truncated: bool = False
    masked: bool = False
    temperature: float = 1.0


class Sampler:
    """Samples completions of `model` with `sampling`. The tokenizer is set to left padding. If it has no padding token,
    the end token is used."""

    def __init__(self, model: Any, tokenizer: Any, sampling: Sampling) -> None:
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._model = model
        self._tokenizer = tokenizer
        self._sampling = sampling
        self._end_tokens = end_tokens(model, tokenizer)
        self._endings = Endings(tokenizer, self._end_tokens, sampling.stop)
        self._template = sampling.trl.get("chat_template_kwargs") or {}
        self._opens_thinking = chat_opens_thinking(tokenizer, self._template)
        self._generation = self._generation_config()

    def prompt_ids(self, prompts: Sequence[Any]) -> list[list[int]]:
        """Returns the tokens of each prompt. The chat template is applied to chat messages."""
        return prompt_ids(self._tokenizer, prompts, self._template)

    def sample(self, prompts: Sequence[Any], *, generations: int) -> list[Sample]:
        """Returns `generations` completions per prompt, in order, generated as one batch.

        Uses torch's global generator.
        """
        each = [ids for ids in self.prompt_ids(prompts) for _ in range(generations)]
        return [
            self._sample(index // generations, prompts[index // generations], prompt, completion)
            for index, (prompt, completion) in enumerate(zip(each, self._generate(each), strict=True))
        ]

    def _sample(self, index: int, prompt: Any, prompt_ids: list[int], completion: list[int]) -> Sample:
        text = text_for_reward(
            prompt,
            self._decoded(prompt, prompt_ids, completion),
            self._endings,
            chat_opens_thinking=self._opens_thinking,
        )
        unfinished = not completion or completion[-1] not in {*self._end_tokens, self._tokenizer.pad_token_id}
        return Sample(
            prompt=index,
            ids=torch.tensor(prompt_ids + completion, device=self._model.device),
            prompt_length=len(prompt_ids),
            text=text,
            truncated=self._endings.truncated(completion),
            masked=unfinished and bool(self._sampling.trl.get("mask_truncated_completions")),
            temperature=self._sampling.temperature,
        )

    def _generate(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        width = max(map(len, prompts))
        pad = self._tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
        seen = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.no_grad():
            sequences = self._model.generate(
                input_ids=ids.to(self._model.device),
                attention_mask=seen.to(self._model.device),
                generation_config=self._generation,
                **({"tokenizer": self._tokenizer} if self._sampling.stop else {}),
            )
        completions = [self._until_end(row) for row in sequences[:, width:].tolist()]
        return [self._endings.cut(tokens) for tokens in completions] if self._sampling.stop else completions

    def _until_end(self, tokens: list[int]) -> list[int]:
        """Returns the tokens up to and including the first end token."""
        before = len(list(takewhile(lambda token: token not in self._end_tokens, tokens)))
        return tokens[: before + 1]

    def _decoded(self, prompt: Any, prompt_ids: list[int], completion: list[int]) -> str:
        parses = any(getattr(self._tokenizer, f"response_{kind}", None) is not None for kind in ("template", "schema"))
        if isinstance(prompt, str) or not parses:
            return str(self._tokenizer.decode(completion, skip_special_tokens=True))
        from trl.chat_template_utils import parse_response

        return str(parse_response(self._tokenizer, completion, prefix=prompt_ids).get("content") or "")

    def _generation_config(self) -> GenerationConfig:
        """Returns the generation config that GRPOTrainer creates from the same settings."""
        passed = generation_settings(self._sampling.trl, self._sampling.stop)
        settings = {
            "max_new_tokens": self._sampling.max_completion_length,
            "do_sample": True,
            "pad_token_id": self._tokenizer.pad_token_id,
            "bos_token_id": self._tokenizer.bos_token_id,
            "eos_token_id": self._end_tokens,
            "temperature": self._sampling.temperature,
            "top_p": passed.get("top_p", 1.0),
            "top_k": passed.get("top_k", 0),
            "min_p": passed.get("min_p"),
            "repetition_penalty": passed.get("repetition_penalty", 1.0),
            "cache_implementation": passed.get("cache_implementation"),
        }
        return GenerationConfig(**settings | (passed.get("generation_kwargs") or {}), disable_compile=True)


def prompt_ids(tokenizer: Any, prompts: Sequence[Any], template_settings: Mapping[str, Any]) -> list[list[int]]:
    """Returns the tokens of each prompt. The chat template is applied to chat messages."""
    if not isinstance(prompts[0], str):
        encoded = tokenizer.apply_chat_template(
            list(prompts), add_generation_prompt=True, tokenize=True, return_dict=True, **template_settings
        )
    else:
        encoded = tokenizer(text=list(prompts))
    return [list(ids) for ids in encoded["input_ids"]]


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Returns the tokens that end a completion, from the model's generation config and the tokenizer."""
    declared = model.generation_config.eos_token_id
    tokens = [declared] if isinstance(declared, int) else list(declared or ())
    return tokens if tokenizer.eos_token_id in tokens else [tokenizer.eos_token_id, *tokens]


def chat_opens_thinking(tokenizer: Any, template_settings: dict[str, Any]) -> bool:
    """Returns whether the chat template ends a prompt with an opening thinking tag."""
    if tokenizer.chat_template is None:
        return False
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, tokenize=False, **template_settings
    )
    return opens_thinking(rendered)
