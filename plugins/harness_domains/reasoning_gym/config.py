"""The config of a reasoning-gym domain."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness import Config
from harness_domains.reasoning_gym.answers import INSTRUCTIONS, AnswerForm
from harness_domains.reasoning_gym.catalogue import check_settings, check_task


class ReasoningGymConfig(Config):
    """The task and its settings, the prompts' format, and the numbers of training and test problems."""

    task: str = Field(description="the name of a task of reasoning-gym, such as leg_counting")
    config: dict[str, Any] = Field(default={}, description="the task's own settings, such as max_animals: 5")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    answer: AnswerForm = Field(default="tags", description="the form of the answer in a completion")
    instruction: str | None = Field(
        default=None, description="the instruction about that form; null for the default, '' for none"
    )
    thinks: bool = Field(default=False, description="an answer counts only after </think>, which is required")
    completion_tokens: int = Field(default=1024, ge=1, description="the longest completion, in tokens")
    prompts: int = Field(
        default=1024, ge=1, description="training problems to generate, before test problems are removed from them"
    )
    test_items: int = Field(default=256, ge=1, description="test problems to generate, before duplicates are removed")
    test_seed: int = Field(default=0, ge=0, description="of the test problems, which are the same for every run")
    temperature: float = Field(default=0.0, ge=0, description="of the scored answers; 0 takes the likeliest token")
    top_p: float = Field(default=1.0, gt=0, le=1, description="the nucleus that scored answers are drawn from")

    @field_validator("task")
    @classmethod
    def _is_installed(cls, task: str) -> str:
        check_task(task)
        return task

    @model_validator(mode="after")
    def _settings_fit(self) -> ReasoningGymConfig:
        check_settings(self.task, self.config)
        return self

    def answer_instruction(self) -> str:
        """Returns the instruction on the form of the answer; may be empty."""
        return INSTRUCTIONS[self.answer] if self.instruction is None else self.instruction

    def prompt(self, question: str) -> str:
        """Returns a problem as text: with the instruction if the prompt is plain, without it if the system prompt has
        it."""
        return (
            f"{question}\n\n{self.answer_instruction()}"
            if self.format == "plain" and self.answer_instruction()
            else question
        )

    def settings_json(self) -> str:
        """Returns the task's settings as JSON that does not depend on their order."""
        return json.dumps(self.config, sort_keys=True)
