"""Open-ended domains: prompts to train on with any reward, and held-out prompts that a judge scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask, HubSource, Problem, StartContext
from harness.domains import DataSource, JudgeClient, example_rows, is_a_request, prompt_text
from harness_domains.open_ended.config import METADATA, OpenEndedConfig
from harness_domains.open_ended.prompts import training

if TYPE_CHECKING:
    from datasets import Dataset


class OpenEndedDomain(Domain):
    """The domain of every open-ended config; presets differ in their config alone."""

    reads_thinking = True

    def __init__(self, config: OpenEndedConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt if self.chat else None

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        return JudgeClient(self.config.judge).faults()

    def fingerprint(self) -> str:
        sources = self.config.sources()
        if self.config.reference_file is not None:
            sources.append(DataSource(data_files=self.config.reference_file))
        return f"{self.config.task}/1 " + " | ".join(source.fingerprint() for source in sources)

    def hub_sources(self) -> Sequence[HubSource]:
        return [found for source in self.config.sources() for found in source.hub_sources()]

    def training_data(self, seed: int) -> Dataset:
        """Returns rows of `prompt`, the same for every seed."""
        from datasets import Dataset

        rows = training(self.config)
        if not self.chat:
            return rows.select_columns("prompt")
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return Dataset.from_dict({"prompt": [[*system, *turns] for turns in rows["messages"]]})

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        task = self.config.task
        if self.config.scoring == "pairwise":
            return (EvaluationTask(task=f"{task}_pairwise", metric="pairwise_win_rate", filter="compared"),)
        return (EvaluationTask(task=task, metric="judge_score", filter="judged"),)

    def task_folder(self) -> Path:
        return Path(__file__).parent / "lm_eval_tasks"

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns the config with absolute paths."""
        config = self.config
        if config.data_files is not None:
            config = config.model_copy(update={"data_files": tuple(path.absolute() for path in config.files())})
        if config.reference_file is not None:
            config = config.model_copy(update={"reference_file": config.reference_file.expanduser().absolute()})
        return {METADATA: config.model_dump(mode="json")}

    def scored_completions(self, limit: int | None) -> int:
        return min(self.config.test_items, limit or self.config.test_items)

    def example_prompts(self) -> Sequence[str]:
        prompts = [row[self.config.prompt] for row in example_rows(self.config)]
        return [prompt_text(prompt) for prompt in prompts if isinstance(prompt, str) or is_a_request(prompt)]
