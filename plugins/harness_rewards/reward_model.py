"""A reward model: a sequence-classification checkpoint with one label, whose logit is the reward."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness import CheckpointError, Config, Reward, RewardBatch, RewardResult, UsageError
from harness.checkpoint import check_checkpoint, hash_checkpoint
from harness.judge import without_thinking


class RewardModelConfig(Config):
    """Which reward model scores, where and how."""

    model: str = Field(min_length=1, description="a local folder, or a name on the hub")
    revision: str | None = Field(default=None, description="a branch, tag or commit of the hub; pin one to publish")
    device: str = Field(default="auto", description="cpu, cuda, cuda:1, …; auto takes a GPU where there is one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(default="auto", description="auto: as saved")
    batch_size: int = Field(default=16, ge=1, description="completions a forward pass")
    max_length: int | None = Field(
        default=None, ge=1, description="tokens; a longer row is an error, for a cut one would be another text"
    )
    strip_thinking: bool = Field(default=True, description="score only what comes after </think>")
    chat_template: str | None = Field(
        default=None, description="a Jinja template for prompts of messages, where the tokenizer brings none"
    )


class RewardModel(Reward):
    """A prompt of messages goes through the chat template with the completion as the assistant's turn; a text prompt is
    joined with the completion, and closed by the tokenizer's end of sequence."""

    def __init__(self, config: RewardModelConfig) -> None:
        self.config = config
        self._local = Path(config.model).expanduser()

    def fingerprint(self) -> str:
        """Returns a hash of a local folder's weights and config, or the name on the hub with its revision."""
        if self._is_local():
            check_checkpoint(self._local)
            return hash_checkpoint(self._local)
        return f"{self.config.model}@{self.config.revision or 'main'}"

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        """Returns the logit of each row; a row that has no text for the model, or too long a one, is an error.

        Raises CheckpointError where the model cannot be had or is no reward model, UsageError for an unknown device.
        """
        _, tokenizer = self._loaded
        results: dict[int, RewardResult] = {}
        encoded: dict[int, list[int]] = {}
        for row, (prompt, completion) in enumerate(zip(batch.prompts, batch.completions, strict=True)):
            answer = without_thinking(completion) if self.config.strip_thinking else completion
            try:
                encoded[row] = self._tokens(tokenizer, prompt, answer)
            except ValueError as error:
                results[row] = RewardResult.error(str(error))
        by_length = sorted(encoded, key=lambda row: len(encoded[row]))
        for start in range(0, len(by_length), self.config.batch_size):
            rows = by_length[start : start + self.config.batch_size]
            results |= dict(zip(rows, self._logits([encoded[row] for row in rows]), strict=True))
        return [results[row] for row in range(len(batch.prompts))]

    def _tokens(self, tokenizer: Any, prompt: str | Sequence[Mapping[str, Any]], answer: str) -> list[int]:
        """Returns a row's token ids. Raises ValueError, for a person, where it has none that the model can take."""
        if isinstance(prompt, str):
            tokens = tokenizer(prompt + answer + (tokenizer.eos_token or ""))["input_ids"]
        else:
            if (self.config.chat_template or tokenizer.chat_template) is None:
                raise ValueError("the prompt is messages, and the reward model has no chat template")
            messages = [{"role": message["role"], "content": message["content"]} for message in prompt]
            text = tokenizer.apply_chat_template(
                [*messages, {"role": "assistant", "content": answer}],
                chat_template=self.config.chat_template,
                tokenize=False,
            )
            tokens = tokenizer(text, add_special_tokens=False)["input_ids"]  # the template has put them there
        longest = self.config.max_length
        if not tokens:
            raise ValueError("the row has no tokens")
        if longest is not None and len(tokens) > longest:
            raise ValueError(f"the row has {len(tokens)} tokens, more than max_length, {longest}")
        return list(tokens)

    def _logits(self, rows: Sequence[list[int]]) -> list[RewardResult]:
        import torch

        model, _ = self._loaded
        width = max(map(len, rows))
        pad = model.config.pad_token_id
        inputs = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
        with torch.inference_mode():
            logits: list[float] = model(input_ids=inputs, attention_mask=mask).logits[:, 0].float().tolist()
        return [
            RewardResult.ok(logit) if math.isfinite(logit) else RewardResult.error(f"the logit is {logit}")
            for logit in logits
        ]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Returns the model, on its device, and its tokenizer."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if self._is_local():
            check_checkpoint(self._local)
        source, revision = (str(self._local), None) if self._is_local() else (self.config.model, self.config.revision)
        try:
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                source, revision=revision, dtype=self.config.dtype, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        except (OSError, ValueError) as error:
            offline = os.environ.get("HF_HUB_OFFLINE") == "1" and not self._is_local()
            raise CheckpointError(
                f"the reward model cannot be had: {str(error).strip().splitlines()[0]}",
                where=self.config.model,
                hint="unset HARNESS_OFFLINE and HF_HUB_OFFLINE to fetch it"
                if offline
                else "check the name, the revision, your access to it and the network; or give a local folder",
            ) from error
        # transformers fills a missing head with random numbers and says so in a log only.
        if loading["missing_keys"] or model.config.num_labels != 1:
            lacking = f"lacks {', '.join(sorted(loading['missing_keys']))}" if loading["missing_keys"] else ""
            labels = f"has {model.config.num_labels} labels, not one" if model.config.num_labels != 1 else ""
            raise CheckpointError(
                f"the model is no reward model: it {' and '.join(filter(None, (lacking, labels)))}",
                where=self.config.model,
                hint="name a sequence-classification checkpoint with one label",
            )
        if model.config.pad_token_id is None:
            # The model looks for the last token that is no padding; ids past 0 may stand in, since rows are masked.
            pad = tokenizer.pad_token_id
            model.config.pad_token_id = tokenizer.eos_token_id if pad is None else pad
        try:
            return model.to(self._device()).eval(), tokenizer
        except (RuntimeError, AssertionError) as error:
            raise UsageError(
                f"the reward model cannot be put on {self._device()}: {str(error).splitlines()[0]}",
                hint=f"torch sees {torch.cuda.device_count()} GPUs; set the reward's `device`",
            ) from error

    def _device(self) -> str:
        import torch

        if self.config.device != "auto":
            return self.config.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _is_local(self) -> bool:
        return self.config.model.startswith((".", "/", "~")) or self._local.is_dir()
