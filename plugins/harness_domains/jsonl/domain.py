"""The domain of the user's own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask, HubSource
from harness.domains import as_messages, example_rows, most_rows
from harness_domains.jsonl.config import JsonlConfig

if TYPE_CHECKING:
    from datasets import Dataset


class JsonlDomain(Domain):
    """Prompts and answers from files. A rule scores the held-out ones."""

    reads_thinking = True

    def __init__(self, config: JsonlConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt

    def fingerprint(self) -> str:
        source = self.config.test_source()
        held_out = "a share" if source is None else source.fingerprint()
        return f"jsonl/{self.config.fingerprint()}/test {held_out}/1"

    def hub_sources(self) -> Sequence[HubSource]:
        source = self.config.test_source()
        return [*self.config.hub_sources(), *(() if source is None else source.hub_sources())]

    def training_data(self, seed: int) -> Dataset:
        from harness_domains.jsonl.rows import training_rows

        rows = training_rows(self.config)
        return rows if self.config.format == "plain" else as_messages(rows, self.system_prompt)

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task="jsonl", metric="score"),)

    def task_folder(self) -> Path:
        return Path(__file__).parent / "lm_eval_tasks"

    def task_metadata(self) -> Mapping[str, Any]:
        return {"jsonl": self.config.model_dump(mode="json", exclude_defaults=True)}

    def scored_completions(self, limit: int | None) -> int | None:
        return most_rows(self.config.test_source() or self.config, limit, self.config.test_items)

    def example_prompts(self) -> Sequence[str]:
        return [self.config.rendered(row) for row in example_rows(self.config, text=self.config.text_columns())]
