"""The configs of question-answering domains. SuperGPQA and MMLU-Pro are presets."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from harness.domains import DataSource

OPTIONS = "a list of two to ten options"


class QAConfig(DataSource):
    """Multiple-choice questions: their source and columns, their prompts, and the held-out share."""

    question: str = Field(default="question", description="the column with the question")
    options: str = Field(default="options", description="the column with the list of options")
    letter: str = Field(default="answer_letter", description="the column with the right option's letter")
    strata: tuple[str, ...] = Field(default=(), description="columns by whose values questions are drawn evenly")
    answers: Literal["letter", "short"] = Field(
        default="letter", description="ask for the letter, or leave the options out and ask for the answer in words"
    )
    format: Literal["plain", "chat"] = Field(
        default="plain", description="train on the text as it is, or as a user's message in the model's chat template"
    )
    system_prompt: str | None = Field(default=None, description="of the chat format")
    completion_tokens: int = Field(default=2048, ge=1, description="the longest useful completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    temperature: float = Field(default=0.0, ge=0, description="of the scored answers; 0 is greedy")
    test_share: float = Field(default=0.1, gt=0, le=1, description="the share of the questions that is held out")
    prompts: int | None = Field(default=None, ge=1, description="training questions to use; null for all")
    test_items: int | None = Field(default=None, ge=1, description="held-out questions to use; null for all")
    subset_seed: int = Field(
        default=0, ge=0, description="fixes the order from which `prompts` and `test_items` select"
    )

    @model_validator(mode="after")
    def _system_prompt_in_chat_only(self) -> Self:
        if self.system_prompt is not None and self.format == "plain":
            raise ValueError("system_prompt requires format: chat")
        return self

    def columns(self) -> dict[str, str]:
        """Returns the required columns and a description of each."""
        strata = dict.fromkeys(self.strata, "a stratum's name")
        return strata | {
            self.question: "the question",
            self.options: OPTIONS,
            self.letter: "the letter of the right option, A for the first",
        }


class MMLUProConfig(QAConfig):
    """TIGER-Lab/MMLU-Pro: the questions are in the split `test`."""

    dataset: str | None = Field(default="TIGER-Lab/MMLU-Pro", description="a data set's name on the hub")
    split: str = Field(default="test", description="the split to read")
    letter: str = Field(default="answer", description="the column with the right option's letter")
    strata: tuple[str, ...] = Field(
        default=("category",), description="columns by whose values questions are drawn evenly"
    )


class SuperGPQAConfig(QAConfig):
    """m-a-p/SuperGPQA: all questions are in the split `train`."""

    dataset: str | None = Field(default="m-a-p/SuperGPQA", description="a data set's name on the hub")
    strata: tuple[str, ...] = Field(
        default=("subfield", "difficulty"), description="columns by whose values questions are drawn evenly"
    )
    mmlu_pro: MMLUProConfig | None = Field(
        default=None, description="an mmlu-pro config whose held-out questions are scored too; {} for its defaults"
    )

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.mmlu_pro is not None and self.mmlu_pro.format != self.format:
            raise ValueError(
                f"mmlu_pro.format is {self.mmlu_pro.format} and format is {self.format}: a domain is scored with the"
                " chat template or without it"
            )
        return self


CONFIGS: dict[str, type[QAConfig]] = {"qa": QAConfig, "super_gpqa": SuperGPQAConfig, "mmlu_pro": MMLUProConfig}
"""The config class of each lm-eval task, by its key in the task's metadata."""


def config_from(metadata: dict[str, Any], key: str) -> QAConfig:
    """Returns the config under `key` of a task's metadata, or its defaults if there is none."""
    return CONFIGS[key](**metadata.get(key, {}))
