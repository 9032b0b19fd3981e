"""The lab's rewards: a rule for code, math and QA; a reward model, or optionally the rubric, for creative writing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness import Config, NoConfig, Reward, RewardBatch, RewardResult, Unkeyed
from harness.weights import check_checkpoint, fingerprint_folder
from harness_lab.questions import KINDS

REWARD_MODEL = Path(__file__).parent / "models" / "cw-reward"


class RuleReward(Reward):
    """The domain's score of a completion, computed in this process. Code is evaluated by walking its parsed tree."""

    kind_name: ClassVar[str]

    def __init__(self, config: NoConfig) -> None:
        self.kind = KINDS[self.kind_name]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self._score(prompt, text) for prompt, text in zip(batch.prompts, batch.completions, strict=True)]

    def _score(self, prompt: str, completion: str) -> RewardResult:
        try:
            return RewardResult.ok(self.kind.score(prompt, completion))
        except ValueError as error:
            return RewardResult.error(str(error))


class CodeReward(RuleReward):
    """1 if the candidate expression agrees with the examples' function on other inputs."""

    kind_name = "code"


class MathReward(RuleReward):
    """1 for the right number."""

    kind_name = "math"


class QAReward(RuleReward):
    """1 for the requested number."""

    kind_name = "qa"


class RubricReward(RuleReward):
    """The share of the writing rubric's points."""

    kind_name = "cw"


class LearnedRewardConfig(Config):
    """The reward model, and the batch size."""

    model: Annotated[Path | None, Unkeyed("the fingerprint covers the model")] = Field(
        default=None, description="a sequence-classification folder with one label; by default the one that ships"
    )
    batch_size: int = Field(default=256, ge=1, description="completions a forward pass")


class LearnedReward(Reward):
    """The logit of a reward model that was trained on preference pairs of lab sentences."""

    def __init__(self, config: LearnedRewardConfig) -> None:
        self.config = config
        self.folder = config.model or REWARD_MODEL

    def fingerprint(self) -> str:
        return fingerprint_folder(self.folder)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        check_checkpoint(self.folder)
        model = AutoModelForSequenceClassification.from_pretrained(self.folder, num_labels=1)
        return model.eval(), AutoTokenizer.from_pretrained(self.folder, padding_side="right")

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        import torch

        model, tokenizer = self._loaded
        texts = [p + c + tokenizer.eos_token for p, c in zip(batch.prompts, batch.completions, strict=True)]
        logits: list[float] = []
        for start in range(0, len(texts), self.config.batch_size):
            inputs = tokenizer(texts[start : start + self.config.batch_size], return_tensors="pt", padding=True)
            with torch.inference_mode():
                scores = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits[:, 0]
            logits += scores.tolist()
        return [RewardResult.ok(logit) for logit in logits]
