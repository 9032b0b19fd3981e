"""The config of the domain: which problems are trained on, how they are asked, and by which tasks they are scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from harness import Config
from harness_domains.math.tables import TESTS, TRAINING, ProblemTable

TaskName = Literal["gsm8k", "math500", "aime25"]

BOXED = "{problem}\n\nPlease reason step by step, and put your final answer within \\boxed{}."
"""The instruction that the data of OpenR1-Math were made with (its card), after the problem."""


class StockTask(Config):
    """A task that ships with lm-eval, and the number of it that counts."""

    task: str = Field(description="lm-eval's name of the task")
    metric: str = Field(description="the metric that counts")
    filter: str = Field(default="none", description="the filter it is counted after")


class MathConfig(ProblemTable):
    """Training problems by the keys of ProblemTable, laid over a preset, and how they are asked and scored."""

    source: Literal["openr1-math", "simplerl", "gsm8k", "math"] = Field(
        default="openr1-math", description="the preset of data set, columns and form of the answers"
    )
    prompts: int | None = Field(default=None, ge=1, description="training problems to use; null for all")
    sample_seed: int = Field(default=0, ge=0, description="of the order that `prompts` takes problems in")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="put before the problem, as the system's message")
    template: str = Field(default=BOXED, description="the text of a prompt; {problem} is where the problem goes")
    thinks: bool = Field(default=False, description="an answer counts only after </think>, which has to come")
    completion_tokens: int = Field(default=4096, ge=1, description="the longest completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    tasks: tuple[TaskName, ...] = Field(
        default=("gsm8k", "math500", "aime25"), min_length=1, description="the tasks whose mean is the score"
    )
    test_sets: Mapping[TaskName, ProblemTable] = Field(
        default_factory=dict, description="keys laid over a task's own data set: local data_files, a revision"
    )
    repeats: Mapping[TaskName, int] = Field(
        default_factory=dict, description="answers sampled for every item of a task, whose mean is its score (avg@k)"
    )
    temperature: float = Field(default=0.6, ge=0, description="of the sampled answers of the tasks; 0 is greedy")
    top_p: float = Field(default=0.95, gt=0, le=1, description="the nucleus that answers of the tasks are drawn from")
    stock_tasks: tuple[StockTask, ...] = Field(
        default=(), description="tasks of lm-eval itself, with its own prompts and checks, in the place of `tasks`"
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
                raise ValueError(f"repeats of {task} has to be 1 or more")
            if times > 1 and self.temperature == 0:
                raise ValueError(f"{task} is repeated {times} times, but at temperature 0 all answers are the same")
        return self

    def training_table(self) -> ProblemTable:
        """Returns where the training problems are: the preset under this config's own keys."""
        return TRAINING[self.source].under(self)

    def test_table(self, task: TaskName) -> ProblemTable:
        """Returns where a task's problems are."""
        return TESTS[task].under(self.test_sets.get(task, ProblemTable()))

    def prompt(self, problem: str) -> str:
        """Returns the text that asks for a problem's solution, without the system's message of a chat."""
        text = self.template.replace("{problem}", problem)
        return f"{self.system_prompt}\n\n{text}" if self.system_prompt and self.format == "plain" else text
