"""The domain of programming problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask, HubSource
from harness.domains import SOURCE_ROW, SOURCE_TEXT, DataSource, as_messages, example_rows, most_rows, nested_subset
from harness_domains.code.config import HUMANEVAL, MBPP, CodeConfig, Sampling
from harness_domains.code.problems import FORMS, load_questions

if TYPE_CHECKING:
    from datasets import Dataset

TASKS = Path(__file__).parent / "lm_eval_tasks"
METRIC = "pass@1"
STOCK = {"humaneval": HUMANEVAL, "mbpp": MBPP}
ITEMS = {"humaneval": 164, "mbpp": 500}
"""The number of test items of the default data sets, from their cards."""


class CodeDomain(Domain):
    """Problems whose answer is a Python program, judged by the problem's tests."""

    reads_thinking = True

    def __init__(self, config: CodeConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt if self.chat else None

    def fingerprint(self) -> str:
        return f"code/1 {self.config.preset} " + " | ".join(source.fingerprint() for source in self._sources())

    def hub_sources(self) -> Sequence[HubSource]:
        return [found for source in self._sources() for found in source.hub_sources()]

    def _sources(self) -> list[DataSource]:
        return [self.config.training_source(), *self.config.test_sources().values()]

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt`, `tests` (JSON of a Problem), `source_row` and `source_text`; the same for every seed."""
        from datasets import Dataset

        table, questions = load_questions(self.config.training_source(), self.config.preset)
        rows = Dataset.from_list([{"prompt": asked.text, "tests": asked.problem.to_json()} for asked in questions])
        rows = rows.add_column(SOURCE_ROW, table[SOURCE_ROW][:])
        rows = rows.add_column(SOURCE_TEXT, [asked.own_text for asked in questions])
        rows = nested_subset(rows, self.config.prompts, self.config.sample_seed, column="prompt")
        system = self.config.system_prompt
        if self.config.format == "chat":
            return as_messages(rows, system)
        prompts = [f"{system}\n\n{text}" if system else text for text in rows["prompt"]]
        return rows.remove_columns("prompt").add_column("prompt", prompts)

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return [EvaluationTask(task=f"code_{task}", metric=METRIC) for task in self.config.scoring_tasks()]

    def task_folder(self) -> Path:
        return TASKS

    def scored_completions(self, limit: int | None) -> int | None:
        sources = self.config.test_sources()
        names = [task.removesuffix("_plain") for task in self.config.scoring_tasks()]
        known = [ITEMS[name] if sources[name] == STOCK[name] else None for name in names]
        bounds = [most_rows(sources[name], limit, count) for name, count in zip(names, known, strict=True)]
        counts = [bound for bound in bounds if bound is not None]
        return sum(counts) * self.config.samples if len(counts) == len(names) else None

    def example_prompts(self) -> Sequence[str]:
        return [FORMS[self.config.preset].read(row).text for row in example_rows(self.config.training_source())]

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns the sources of the tasks' items, the sampling settings, and the sandbox's config."""
        sources = {name: _absolute(source) for name, source in self.config.test_sources().items()}
        sampling = self.config.model_dump(mode="json", include=set(Sampling.model_fields))
        return {"sandbox": self.config.sandbox.model_dump(mode="json"), "sampling": sampling, **sources}


def _absolute(source: DataSource) -> dict[str, Any]:
    files = [str(path.absolute()) for path in source.files()] or None
    return {**source.model_dump(mode="json"), "data_files": files}
