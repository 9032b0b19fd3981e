"""The configs of the domain and the reward. Light: what the presets mean is in `problems.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from harness import Config
from harness.data import DataSource
from harness.sandbox import SandboxConfig
from harness_code.extraction import CompletionFormat

Preset = Literal["klear", "mbpp", "humaneval"]
Task = Literal["humaneval", "humaneval_plain", "mbpp"]

SOURCES: dict[str, dict[str, str]] = {
    "klear": {"dataset": "Kwai-Klear/KlearReasoner-CodeSub-15K", "split": "train"},
    "mbpp": {"dataset": "google-research-datasets/mbpp", "subset": "full", "split": "train"},
    "humaneval": {"dataset": "openai/openai_humaneval", "split": "test"},
}
"""Where the presets' training problems are; the keys of a config go before these."""


class Sampling(Config):
    """How many programs a task samples for an item, and how."""

    samples: int = Field(default=1, ge=1, description="programs an item: one is greedy, n give pass@1 and pass@n")
    temperature: float = Field(default=0.8, gt=0, description="of the programs, where there are more than one")
    top_p: float = Field(default=0.95, gt=0, le=1, description="the nucleus they are drawn from")
    completion_tokens: int = Field(default=4096, ge=1, description="the longest completion, in tokens")

    def counts(self) -> tuple[int, ...]:
        """Returns the ks of the pass@k that the samples give."""
        return (1,) if self.samples == 1 else (1, self.samples)


class CodeConfig(DataSource, Sampling):
    """Which problems are trained on, how they are asked, and which tasks score the skill."""

    preset: Preset = Field(default="klear", description="the form of the data: which columns they have, what they mean")
    prompts: int | None = Field(default=None, ge=1, description="training problems to use; null for all")
    sample_seed: int = Field(default=0, ge=0, description="of the order that `prompts` takes problems in")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="put before the problem, as the system's message")
    tasks: tuple[Task, ...] = Field(
        default=("humaneval", "mbpp"), min_length=1, description="the tasks whose mean pass@1 is the score"
    )
    humaneval: DataSource = Field(
        default=DataSource(dataset="openai/openai_humaneval", split="test"), description="HumanEval's test items"
    )
    mbpp: DataSource = Field(
        default=DataSource(dataset="google-research-datasets/mbpp", subset="full", split="test"),
        description="MBPP's test items",
    )
    sandbox: SandboxConfig = Field(default=SandboxConfig(), description="where the tasks' programs run")

    def test_sources(self) -> dict[str, DataSource]:
        """Returns where the items of the tasks are, by data set."""
        return {name: getattr(self, name) for name in sorted({task.removesuffix("_plain") for task in self.tasks})}

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_preset(cls, given: Any) -> Any:
        """Sets what the preset says of the data, unless other data are named, and drops the task it trains on."""
        if not isinstance(given, dict):
            return given
        preset = given.get("preset", "klear")
        filled = dict(given)
        if preset in SOURCES and not given.get("dataset") and not given.get("data_files"):
            filled = {key: value for key, value in given.items() if key != "dataset"}
            filled = {**SOURCES[preset], **filled}
        if preset == "humaneval":
            filled.setdefault("tasks", ("mbpp",))
        return filled

    @model_validator(mode="after")
    def _trains_on_no_test_items(self) -> CodeConfig:
        if self.preset == "humaneval" and set(self.tasks) & {"humaneval", "humaneval_plain"}:
            raise ValueError("HumanEval has test items only: trained on, it cannot be a task; set tasks to [mbpp]")
        return self


class CodeRewardConfig(Config):
    """How a completion is read and what its tests are worth."""

    score: Literal["share", "all"] = Field(
        default="share", description="the share of the tests that pass, or 1 where all do and 0 otherwise"
    )
    format: CompletionFormat = Field(
        default="block", description="the program is the last ```python block after the thinking, or all of the text"
    )
    max_tests: int = Field(default=16, ge=1, description="tests to run of each problem, its first ones")
    sandbox: SandboxConfig = Field(default=SandboxConfig(), description="where the programs run")
