"""The configs of the domain and the reward. `problems.py` defines how the presets are read."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness import Config
from harness.domains import DataSource, SandboxConfig
from harness_domains.code.extraction import CompletionFormat

Preset = Literal["klear", "mbpp", "humaneval"]
Task = Literal["humaneval", "humaneval_plain", "mbpp"]

HUMANEVAL = DataSource(dataset="openai/openai_humaneval", split="test")
MBPP = DataSource(dataset="google-research-datasets/mbpp", subset="full", split="test")
SOURCES = {
    "klear": DataSource(dataset="Kwai-Klear/KlearReasoner-CodeSub-15K"),
    "mbpp": MBPP.model_copy(update={"split": "train"}),
    "humaneval": HUMANEVAL,
}
"""The training data of the presets."""


class Sampling(Config):
    """How a task samples programs."""

    samples: int = Field(default=1, ge=1, description="programs per item: 1 is greedy; n gives pass@1 and pass@n")
    temperature: float = Field(default=0.8, gt=0, description="of the programs, if there is more than one per item")
    top_p: float = Field(default=0.95, gt=0, le=1, description="the nucleus that they are sampled from")
    completion_tokens: int = Field(default=4096, ge=1, description="the longest completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")

    def counts(self) -> tuple[int, ...]:
        """Returns the values of k for which pass@k is computed."""
        return (1,) if self.samples == 1 else (1, self.samples)


class CodeConfig(DataSource, Sampling):
    """The training problems, their prompts, and the tasks that score the domain."""

    preset: Preset = Field(default="klear", description="the format of the data: its columns and their meaning")
    prompts: int | None = Field(default=None, ge=1, description="training problems to use; null for all")
    sample_seed: int = Field(default=0, ge=0, description="of the order from which `prompts` selects problems")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="the system message before the problem")
    tasks: tuple[Task, ...] | None = Field(
        default=None,
        min_length=1,
        description="the tasks whose mean pass@1 is the score; null for humaneval and mbpp, or for mbpp alone if"
        " HumanEval is trained on",
    )
    humaneval: DataSource = Field(default=HUMANEVAL, description="HumanEval's test items")
    mbpp: DataSource = Field(default=MBPP, description="MBPP's test items")
    sandbox: SandboxConfig = Field(default=SandboxConfig(), description="where the tasks' programs run")

    def training_source(self) -> DataSource:
        """Returns the training data: the preset's data set, unless another data set or files are given."""
        given = {name: getattr(self, name) for name in DataSource.model_fields}
        if self.dataset is None and self.data_files is None:
            preset = SOURCES[self.preset]
            given |= {"dataset": preset.dataset, "subset": self.subset or preset.subset}
            given["split"] = preset.split if self.split == "train" else self.split
        return DataSource(**given)

    def scoring_tasks(self) -> tuple[Task, ...]:
        """Returns the tasks that score the domain."""
        return self.tasks or (("mbpp",) if self.preset == "humaneval" else ("humaneval", "mbpp"))

    def test_sources(self) -> dict[str, DataSource]:
        """Returns the sources of the test items, by data set."""
        names = {task.removesuffix("_plain") for task in self.scoring_tasks()}
        return {name: getattr(self, name) for name in sorted(names)}

    @model_validator(mode="after")
    def _trains_on_no_test_items(self) -> Self:
        if self.preset == "humaneval" and set(self.scoring_tasks()) & {"humaneval", "humaneval_plain"}:
            raise ValueError(
                "HumanEval has only test items: if you train on it, it cannot be a task; set tasks to [mbpp]"
            )
        return self


class CodeRewardConfig(Config):
    """How a program is extracted from a completion and scored."""

    score: Literal["share", "all"] = Field(
        default="share", description="the share of the tests that pass, or 1 if all pass and 0 otherwise"
    )
    format: CompletionFormat = Field(
        default="block", description="the program is the last ```python block after the thinking, or all of the text"
    )
    max_tests: int = Field(default=16, ge=1, description="the number of tests to run per problem, from the first")
    sandbox: SandboxConfig = Field(default=SandboxConfig(), description="where the programs run")
