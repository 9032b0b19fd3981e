"""The config of the domain: training problems, prompts, and the tasks that score it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from harness import Config
from harness_domains.math.tables import TESTS, TRAINING, ProblemTable

TaskName = Literal["gsm8k", "math500", "aime25"]

BOXED = "{problem}\n\nPlease reason step by step, and put your final answer within \\boxed{}."
"""The instruction with which OpenR1-Math was generated (see its card), after the problem."""


class StockTask(Config):
    """A task of lm-eval, and the metric that counts."""

    task: str = Field(description="lm-eval's name of the task")
    metric: str = Field(description="the metric that counts")
    filter: str = Field(default="none", description="the filter after which the metric is computed")


class MathConfig(ProblemTable):
    """Training problems, given by a preset and the keys of ProblemTable that replace its values, prompts and tasks."""

    source: Literal["openr1-math", "simplerl", "gsm8k", "math"] = Field(
        default="openr1-math", description="the preset of data set, columns and format of the answers"
    )
    prompts: int | None = Field(default=None, ge=1, description="training problems to use; null for all")
    sample_seed: int = Field(default=0, ge=0, description="of the order from which `prompts` selects problems")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="the system message before the problem")
    template: str = Field(default=BOXED, description="the text of a prompt; {problem} is replaced by the problem")
    thinks: bool = Field(default=False, description="an answer counts only after </think>, which is required")
    completion_tokens: int = Field(default=4096, ge=1, description="the longest completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    tasks: tuple[TaskName, ...] = Field(
        default=("gsm8k", "math500", "aime25"), min_length=1, description="the tasks whose mean is the score"
    )
    test_sets: Mapping[TaskName, ProblemTable] = Field(
        default_factory=dict, description="keys that replace those of a task's data set: local data_files, a revision"
    )
    repeats: Mapping[TaskName, int] = Field(
        default_factory=dict, description="answers sampled per item of a task; their mean is its score (avg@k)"
    )
    temperature: float = Field(default=0.6, ge=0, description="of the sampled answers of the tasks; 0 is greedy")
    top_p: float = Field(default=0.95, gt=0, le=1, description="the nucleus that answers of the tasks are sampled from")
    stock_tasks: tuple[StockTask, ...] = Field(
        default=(), description="tasks of lm-eval, with its prompts and scoring, instead of `tasks`"
    )

    @field_validator("template")
    @classmethod
    def _has_place_for_the_problem(cls, template: str) -> str:
        if "{problem}" not in template:
            raise ValueError("the template has no {problem}")
        return template

    @model_validator(mode="after")
    def _repeats_differ(self) -> Self:
        for task, times in self.repeats.items():
            if times < 1:
                raise ValueError(f"repeats of {task} must be 1 or more")
            if times > 1 and self.temperature == 0:
                raise ValueError(f"{task} is repeated {times} times, but at temperature 0 all answers are the same")
        return self

    def training_table(self) -> ProblemTable:
        """Returns the training problems' table: the preset, with this config's keys in place of its values."""
        return TRAINING[self.source].under(self)

    def test_table(self, task: TaskName) -> ProblemTable:
        """Returns the table of a task's problems."""
        return TESTS[task].under(self.test_sets.get(task, ProblemTable()))

    def prompt(self, problem: str) -> str:
        """Returns the prompt's text for a problem, without the system message of a chat."""
        text = self.template.replace("{problem}", problem)
        return f"{self.system_prompt}\n\n{text}" if self.system_prompt and self.format == "plain" else text
