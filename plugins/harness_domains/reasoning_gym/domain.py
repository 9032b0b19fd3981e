"""The domain of a reasoning-gym task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask
from harness.domains import SOURCE_TEXT
from harness_domains.reasoning_gym.catalogue import package_version
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.task_file import task_name, write_task_file

if TYPE_CHECKING:
    from datasets import Dataset


class ReasoningGymDomain(Domain):
    """Problems that a task generates. Training and test problems have different seeds."""

    reads_thinking = True

    def __init__(self, config: ReasoningGymConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = (config.answer_instruction() or None) if self.chat else None
        self._tasks: TemporaryDirectory[str] | None = None

    def fingerprint(self) -> str:
        config = self.config
        drawn = f"train {config.prompts}/test {config.test_items} of {config.test_seed}"
        return f"reasoning-gym {package_version()}/{config.task}/{config.settings_json()}/{drawn}/1"

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt`, the column that the reward reads, and `source_text`; different problems for each seed."""
        from datasets import Dataset

        from harness_domains.reasoning_gym.problems import ENTRY_COLUMN, training_problems

        problems = training_problems(self.config, seed)
        return Dataset.from_dict(
            {
                "prompt": [self._prompt(problem.question) for problem in problems],
                ENTRY_COLUMN: [problem.row for problem in problems],
                SOURCE_TEXT: [problem.question for problem in problems],
            }
        )

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task=task_name(self.config.task), metric="score"),)

    def task_folder(self) -> Path:
        """Returns a folder with the task's file, which is written on the first call and removed with this object."""
        if self._tasks is None:
            self._tasks = TemporaryDirectory(prefix="reasoning-gym-")
            write_task_file(self.config.task, Path(self._tasks.name))
        return Path(self._tasks.name)

    def task_metadata(self) -> Mapping[str, Any]:
        config = self.config.model_dump(mode="json", exclude_defaults=True)
        return {"reasoning_gym": json.loads(json.dumps(config))}

    def _prompt(self, question: str) -> str | list[dict[str, str]]:
        text = self.config.prompt(question)
        if self.config.format == "plain":
            return text
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": text}]
