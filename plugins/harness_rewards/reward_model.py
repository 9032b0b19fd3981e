"""A reward model: a sequence-classification checkpoint, one of whose labels gives the reward."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from harness import (
    CheckpointError,
    Config,
    FolderOrName,
    HubSource,
    Problem,
    Reward,
    RewardBatch,
    RewardResult,
    StartContext,
    Unkeyed,
    UsageError,
    looks_local,
)
from harness.domains import fetch_model, without_thinking
from harness.weights import check_checkpoint, fingerprint_folder
from harness_rewards.classifier_rows import Encoded, Form, RowEncoder, longest_row

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*")
_OLD_WEIGHTS = ("*.bin",)


class RewardModelConfig(Config):
    """Which reward model scores, where and how."""

    model: Annotated[str, FolderOrName(), Unkeyed("the fingerprint covers the model")] = Field(
        min_length=1, description="a local folder, or a name on the hub"
    )
    revision: str | None = Field(default=None, description="a branch, tag or commit of the hub; pin one to publish")
    device: Annotated[str, Unkeyed("where it runs; `auto` differs between machines too")] = Field(
        default="auto", description="cpu, cuda, cuda:1, …; auto takes a GPU where there is one"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(default="auto", description="auto: as saved")
    batch_size: int = Field(default=16, ge=1, description="completions a forward pass")
    max_length: int | None = Field(
        default=None,
        ge=1,
        description="tokens; a longer row is an error, for a cut one would be another text; by default the model's own",
    )
    text: Form = Field(
        default="joined",
        description="what the model reads: prompt and completion as one text or conversation, as a pair of segments, or"
        " the completion alone",
    )
    label: str | int | None = Field(
        default=None, description="of a model with several labels, the one that gives the reward: its name or index"
    )
    output: Literal["logit", "probability"] = Field(
        default="logit",
        description="the label's logit, or its probability: by softmax, or sigmoid where it stands alone",
    )
    strip_thinking: bool = Field(default=True, description="score only what comes after </think>")
    chat_template: str | None = Field(
        default=None, description="a Jinja template for prompts of messages, where the tokenizer brings none"
    )

    def faults(self) -> Iterable[Problem]:
        """Yields what is wrong with a local folder."""
        folder = Path(self.model).expanduser()
        if looks_local(self.model) or folder.is_dir():
            try:
                check_checkpoint(folder)
            except CheckpointError as error:
                yield Problem(key="model", message=f"{error.where}: {error.message}", hint=error.hint)


@dataclass(frozen=True)
class _Loaded:
    model: Any
    label: int
    rows: RowEncoder


class RewardModel(Reward):
    """A prompt of messages goes through the chat template with the completion as the assistant's turn; a text prompt is
    joined with the completion, and closed by the tokenizer's end of sequence."""

    tried_at_start = False

    def __init__(self, config: RewardModelConfig) -> None:
        self.config = config
        self._local = Path(config.model).expanduser()

    def fingerprint(self) -> str:
        """Returns a hash of a local folder's files that loading reads, or the name on the hub with its revision."""
        if self._is_local():
            check_checkpoint(self._local)
            return fingerprint_folder(self._local)
        return f"{self.config.model}@{self.config.revision or 'main'}"

    def hub_sources(self) -> Sequence[HubSource]:
        if self._is_local():
            return ()
        return (HubSource(kind="model", name=self.config.model, revision=self.config.revision),)

    def fetch(self) -> None:
        self._folder()

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Looks at the model's config and no weights. Raises CheckpointError as `score` does."""
        from transformers import AutoConfig

        self._label(dict(AutoConfig.from_pretrained(self._folder()).id2label))
        return ()

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        """Returns the label's number of each row; a row that has no text for the model, or too long a one, is an error.

        Raises CheckpointError if the model is not available or is not a reward model, UsageError for an unknown device.
        """
        rows = self._loaded.rows
        results: dict[int, RewardResult] = {}
        encoded: dict[int, Encoded] = {}
        for row, (prompt, completion) in enumerate(zip(batch.prompts, batch.completions, strict=True)):
            answer = without_thinking(completion) if self.config.strip_thinking else completion
            try:
                encoded[row] = rows.encode(prompt, answer)
            except ValueError as error:
                results[row] = RewardResult.error(str(error))
        by_length = sorted(encoded, key=lambda row: len(encoded[row].ids))
        for start in range(0, len(by_length), self.config.batch_size):
            part = by_length[start : start + self.config.batch_size]
            results |= dict(zip(part, self._results([encoded[row] for row in part]), strict=True))
        return [results[row] for row in range(len(batch.prompts))]

    def _results(self, rows: Sequence[Encoded]) -> list[RewardResult]:
        import torch

        model, label = self._loaded.model, self._loaded.label
        width = max(len(row.ids) for row in rows)

        def padded(values: Sequence[list[int]], padding: int) -> torch.Tensor:
            return torch.tensor([[*row, *[padding] * (width - len(row))] for row in values], device=model.device)

        inputs = {
            "input_ids": padded([row.ids for row in rows], model.config.pad_token_id),
            "attention_mask": padded([[1] * len(row.ids) for row in rows], 0),
        }
        if rows[0].segments is not None:
            inputs["token_type_ids"] = padded([row.segments or [] for row in rows], 0)
        with torch.inference_mode():
            logits = model(**inputs).logits.float()
        if self.config.output == "probability":
            alone = logits.shape[1] == 1 or model.config.problem_type == "multi_label_classification"
            logits = logits.sigmoid() if alone else logits.softmax(dim=1)
        values: list[float] = logits[:, label].tolist()
        what = self.config.output
        return [
            RewardResult.ok(value) if math.isfinite(value) else RewardResult.error(f"the {what} is {value}")
            for value in values
        ]

    @cached_property
    def _loaded(self) -> _Loaded:
        """Returns the model, on its device, the label that counts, and how rows are encoded for it."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = self._folder()
        try:
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                folder, dtype=self.config.dtype, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"the reward model cannot be read: {str(error).strip().splitlines()[0]}",
                where=self.config.model,
                hint="name a sequence-classification checkpoint that transformers reads without custom code",
            ) from error
        if loading["missing_keys"]:  # transformers fills a missing head with random numbers and says so in a log only
            raise CheckpointError(
                f"the model is not a reward model: it lacks {', '.join(sorted(loading['missing_keys']))}",
                where=self.config.model,
                hint="name a sequence-classification checkpoint",
            )
        label = self._label(dict(model.config.id2label))
        if model.config.pad_token_id is None:
            # The model looks for the last token that is not padding; any other id can replace the padding, since rows
            # are masked.
            pad = tokenizer.pad_token_id
            model.config.pad_token_id = tokenizer.eos_token_id if pad is None else pad
        rows = RowEncoder(
            tokenizer,
            form=self.config.text,
            chat_template=self.config.chat_template,
            longest=longest_row(self.config.max_length, model.config, tokenizer),
            segments="token_type_ids" in inspect.signature(model.forward).parameters,
        )
        try:
            return _Loaded(model.to(self._device()).eval(), label, rows)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(
                f"the reward model cannot be put on {self._device()}: {str(error).splitlines()[0]}",
                hint=f"torch sees {torch.cuda.device_count()} GPUs; set the reward's `device`",
            ) from error

    def _folder(self) -> Path:
        """Returns the model's folder, fetched first where it is of the hub."""
        if self._is_local():
            check_checkpoint(self._local)
            return self._local
        [source] = self.hub_sources()
        try:
            folder = fetch_model(source, _FILES)
            return folder if any(folder.glob("*.safetensors")) else fetch_model(source, (*_FILES, *_OLD_WEIGHTS))
        except UsageError as error:
            raise CheckpointError(
                f"the reward model cannot be had: {error.message}", where=error.where, hint=error.hint
            ) from error

    def _label(self, names: dict[int, str]) -> int:
        """Returns the index of the label to use. Raises CheckpointError if the model does not have it."""
        wanted = self.config.label
        found = [index for index, name in names.items() if wanted in (index, name)]
        if wanted is None and len(names) == 1:
            found = list(names)
        if len(found) == 1:
            return found[0]
        several = f"has {len(names)} labels" if wanted is None else f"has no label {wanted!r}"
        raise CheckpointError(
            f"the reward model {several}",
            where=self.config.model,
            hint=f"set the reward's `label` to one of {', '.join(map(str, names.values()))}",
        )

    def _device(self) -> str:
        import torch

        if self.config.device != "auto":
            return self.config.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _is_local(self) -> bool:
        return looks_local(self.config.model) or self._local.is_dir()
