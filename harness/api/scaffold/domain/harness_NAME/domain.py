"""Training prompts and the lm-eval task. No number is in both."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness import Config, Domain, EvaluationTask

if TYPE_CHECKING:
    from datasets import Dataset

HELD_OUT = range(100, 1000, 5)
TRAINING = [number for number in range(100, 1000) if number not in HELD_OUT]


class BackwardsConfig(Config):
    """What a protocol may set under the domain."""

    prompts: int = Field(default=512, ge=1, description="training prompts to draw for a step")


def question(number: int) -> dict[str, str]:
    """Returns a row: the prompt, and the column that the reward reads."""
    return {"prompt": f"Q: {number}? A:", "answer": str(number)[::-1]}


class Backwards(Domain):
    """`Q: 482? A:` wants `284`."""

    completion_tokens = 4
    chat = False

    def __init__(self, config: BackwardsConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        """Returns what changes with the data: everything trained on them is computed again then."""
        return "numbers from 100 to 999, every fifth held out"

    def training_data(self, seed: int) -> "Dataset":
        from datasets import Dataset

        numbers = random.Random(seed).choices(TRAINING, k=self.config.prompts)
        return Dataset.from_list([question(number) for number in numbers])

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return [EvaluationTask(task="harness_NAME", metric="exact_match")]

    def task_folder(self) -> Path:
        return Path(__file__).parent / "tasks"
