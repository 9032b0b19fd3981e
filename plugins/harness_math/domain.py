"""Mathematics as the harness sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask
from harness_math.config import MathConfig

if TYPE_CHECKING:
    from datasets import Dataset

TASKS = Path(__file__).parent / "lm_eval_tasks"
METRIC = "math_verify"


class MathDomain(Domain):
    """Problems whose answer is put in a box and compared with the reference."""

    def __init__(self, config: MathConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.system_prompt = config.system_prompt if config.format == "chat" else None

    def fingerprint(self) -> str:
        tables = [self.config.training_table()]
        if not self.config.stock_tasks:
            tables += [self.config.test_table(task) for task in self.config.tasks]
        return "math/1 " + " | ".join(table.fingerprint() for table in tables)

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt`, `answer` and `thinks`; the same problems for every seed, as a data set is."""
        from harness.data import nested_subset
        from harness_math.problems import load_problems

        config = self.config
        rows = nested_subset(
            load_problems(config.training_table()), config.prompts, config.sample_seed, column="problem"
        )
        prompts = [self._prompt(problem) for problem in rows["problem"]]
        return (
            rows.remove_columns("problem")
            .add_column("prompt", prompts)
            .add_column("thinks", [config.thinks] * len(rows))
        )

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        if self.config.stock_tasks:
            return [EvaluationTask(task=t.task, metric=t.metric, filter=t.filter) for t in self.config.stock_tasks]
        return [EvaluationTask(task=f"boxed_{task}", metric=METRIC) for task in self.config.tasks]

    def task_folder(self) -> Path | None:
        return None if self.config.stock_tasks else TASKS

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns this config with absolute paths, from which the tasks find their problems and their settings."""
        if self.config.stock_tasks:
            return {}
        config = self.config
        tables = {task: table.absolute() for task, table in config.test_sets.items()}
        asked = {
            "format",
            "system_prompt",
            "template",
            "thinks",
            "completion_tokens",
            "repeats",
            "temperature",
            "top_p",
        }
        kept = config.model_dump(mode="json", include=asked)
        return {
            "math": kept
            | {"test_sets": {t: v.model_dump(mode="json", exclude_defaults=True) for t, v in tables.items()}}
        }

    def _prompt(self, problem: str) -> str | list[dict[str, str]]:
        text = self.config.prompt(problem)
        if self.config.format == "plain":
            return text
        system = [{"role": "system", "content": self.config.system_prompt}] if self.config.system_prompt else []
        return [*system, {"role": "user", "content": text}]
