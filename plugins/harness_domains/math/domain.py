"""The domain of mathematics problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask, HubSource
from harness.domains import example_rows, most_rows
from harness_domains.math.config import MathConfig
from harness_domains.math.tables import ProblemTable

if TYPE_CHECKING:
    from datasets import Dataset

TASKS = Path(__file__).parent / "lm_eval_tasks"
METRIC = "math_verify"
ITEMS = {"gsm8k": 1319, "math500": 500, "aime25": 30}
"""The number of test items of the tasks' default data sets, from their cards."""


class MathDomain(Domain):
    """Problems whose boxed answer is compared with the reference."""

    def __init__(self, config: MathConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.reads_thinking = not config.stock_tasks
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt if self.chat else None

    def fingerprint(self) -> str:
        return "math/1 " + " | ".join(table.fingerprint() for table in self._tables())

    def hub_sources(self) -> Sequence[HubSource]:
        return [source for table in self._tables() for source in table.hub_sources()]

    def _tables(self) -> list[ProblemTable]:
        tables = [self.config.training_table()]
        if not self.config.stock_tasks:
            tables += [self.config.test_table(task) for task in self.config.tasks]
        return tables

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt`, `answer`, `thinks`, `source_row` and `source_text`; the same problems for every seed."""
        from harness.domains import SOURCE_TEXT, as_messages, nested_subset
        from harness_domains.math.problems import load_problems

        config = self.config
        rows = nested_subset(
            load_problems(config.training_table()), config.prompts, config.sample_seed, column="problem"
        )
        prompts = [config.prompt(problem) for problem in rows["problem"]]
        rows = rows.rename_column("problem", SOURCE_TEXT).add_column("prompt", prompts)
        rows = rows.add_column("thinks", [config.thinks] * len(rows))
        return rows if config.format == "plain" else as_messages(rows, config.system_prompt)

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        if self.config.stock_tasks:
            return [EvaluationTask(task=t.task, metric=t.metric, filter=t.filter) for t in self.config.stock_tasks]
        return [EvaluationTask(task=f"boxed_{task}", metric=METRIC) for task in self.config.tasks]

    def task_folder(self) -> Path | None:
        return None if self.config.stock_tasks else TASKS

    def scored_completions(self, limit: int | None) -> int | None:
        config = self.config
        if config.stock_tasks:
            return None
        known = {task: None if task in config.test_sets else ITEMS[task] for task in config.tasks}
        bounds = {task: most_rows(config.test_table(task), limit, count) for task, count in known.items()}
        counts = [bound * config.repeats.get(task, 1) for task, bound in bounds.items() if bound is not None]
        return sum(counts) if len(counts) == len(bounds) else None

    def example_prompts(self) -> Sequence[str]:
        table = self.config.training_table()
        return [self.config.prompt(str(row[table.problem_column])) for row in example_rows(table)]

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns the part of the config that the tasks need, with absolute paths."""
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
            "stop",
            "repeats",
            "temperature",
            "top_p",
        }
        kept = config.model_dump(mode="json", include=asked)
        return {
            "math": kept
            | {"test_sets": {t: v.model_dump(mode="json", exclude_defaults=True) for t, v in tables.items()}}
        }
