"""The domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Domain, EvaluationTask
from harness_reversal.config import ReversalConfig
from harness_reversal.numbers import answer_to, prompt_of, training_numbers

if TYPE_CHECKING:
    from datasets import Dataset


class Reversal(Domain):
    """`Q: 482? A:` → `284`."""

    completion_tokens = 4

    def __init__(self, config: ReversalConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        return "reversal/1"

    def training_data(self, seed: int) -> Dataset:
        from datasets import Dataset

        prompts = [prompt_of(number) for number in training_numbers(seed, self.config.prompts)]
        return Dataset.from_list([{"prompt": prompt, "answer": answer_to(prompt)} for prompt in prompts])

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task="reversal", metric="digits_in_place"),)

    def task_folder(self) -> Path:
        return Path(__file__).parent / "tasks"
