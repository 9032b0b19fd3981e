"""The domains of multiple-choice questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import Domain, EvaluationTask, HubSource
from harness.domains import as_messages, example_rows, most_rows
from harness_domains.qa.config import QAConfig, SuperGPQAConfig
from harness_domains.qa.questions import prompt_of, training_questions

if TYPE_CHECKING:
    from datasets import Dataset


ROWS = {"m-a-p/SuperGPQA": 26_529, "TIGER-Lab/MMLU-Pro": 12_032}
"""The number of questions of the default data sets, from their cards."""


class QADomain(Domain):
    """Multiple-choice questions. A share of every stratum is held out."""

    key: ClassVar[str] = "qa"

    reads_thinking = True

    def __init__(self, config: QAConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt

    def fingerprint(self) -> str:
        return f"{self.key}/{self.config.fingerprint()}/1"

    def hub_sources(self) -> Sequence[HubSource]:
        return self.config.hub_sources()

    def training_data(self, seed: int) -> Dataset:
        rows = training_questions(self.config)
        return rows if self.config.format == "plain" else as_messages(rows, self.system_prompt)

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task=f"harness_{self.key}", metric="right"),)

    def task_folder(self) -> Path:
        return Path(__file__).parent / "lm_eval_tasks"

    def scored_completions(self, limit: int | None) -> int | None:
        config = self.config
        rows = None if config.data_files else ROWS.get(config.dataset or "")
        return most_rows(config, config.test_items, limit, rows and max(1, round(config.test_share * rows)))

    def example_prompts(self) -> Sequence[str]:
        config = self.config
        rows = example_rows(config, text=tuple(config.columns()))
        return [prompt_of(row[config.question], list(row[config.options]), config.answers) for row in rows]

    def task_metadata(self) -> Mapping[str, Any]:
        return {self.key: self.config.model_dump(mode="json", exclude_defaults=True)}


class MMLUProDomain(QADomain):
    """MMLU-Pro."""

    key = "mmlu_pro"


class SuperGPQADomain(QADomain):
    """SuperGPQA, scored on its held-out questions and optionally on MMLU-Pro's."""

    key = "super_gpqa"

    def __init__(self, config: SuperGPQAConfig) -> None:
        super().__init__(config)
        self.mmlu_pro = None if config.mmlu_pro is None else MMLUProDomain(config.mmlu_pro)

    def fingerprint(self) -> str:
        further = "" if self.mmlu_pro is None else self.mmlu_pro.fingerprint()
        return super().fingerprint() + further

    def hub_sources(self) -> Sequence[HubSource]:
        return [*super().hub_sources(), *(() if self.mmlu_pro is None else self.mmlu_pro.hub_sources())]

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        further = () if self.mmlu_pro is None else self.mmlu_pro.evaluation_tasks()
        return (*super().evaluation_tasks(), *further)

    def scored_completions(self, limit: int | None) -> int | None:
        own = super().scored_completions(limit)
        further = 0 if self.mmlu_pro is None else self.mmlu_pro.scored_completions(limit)
        return None if own is None or further is None else own + further

    def task_metadata(self) -> Mapping[str, Any]:
        further = {} if self.mmlu_pro is None else self.mmlu_pro.task_metadata()
        return {**super().task_metadata(), **further}
