"""Programming as the harness sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Domain, EvaluationTask
from harness.data import DataSource, nested_subset
from harness_code.config import CodeConfig, Sampling
from harness_code.problems import load_questions

if TYPE_CHECKING:
    from datasets import Dataset

TASKS = Path(__file__).parent / "lm_eval_tasks"
METRIC = "pass@1"


class CodeDomain(Domain):
    """Problems whose answer is a Python program, judged by the problem's tests."""

    def __init__(self, config: CodeConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.system_prompt = config.system_prompt if config.format == "chat" else None

    def fingerprint(self) -> str:
        sources = [self.config.training_source(), *self.config.test_sources().values()]
        return f"code/1 {self.config.preset} " + " | ".join(source.fingerprint() for source in sources)

    def training_data(self, seed: int) -> Dataset:
        """Returns `prompt` and `tests`, the JSON of a Problem; the same rows for every seed, as a data set is."""
        from datasets import Dataset

        _, questions = load_questions(self.config.training_source(), self.config.preset)
        rows = Dataset.from_list([{"text": asked.text, "tests": asked.problem.to_json()} for asked in questions])
        rows = nested_subset(rows, self.config.prompts, self.config.sample_seed, column="text")
        prompts = [self._prompt(text) for text in rows["text"]]
        return rows.remove_columns("text").add_column("prompt", prompts)

    def _prompt(self, text: str) -> str | list[dict[str, str]]:
        system = self.config.system_prompt
        if self.config.format == "plain":
            return f"{system}\n\n{text}" if system else text
        messages = [{"role": "system", "content": system}] if system else []
        return [*messages, {"role": "user", "content": text}]

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return [EvaluationTask(task=f"code_{task}", metric=METRIC) for task in self.config.scoring_tasks()]

    def task_folder(self) -> Path:
        return TASKS

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns where the tasks' items are, how programs are sampled, and the sandbox they run in."""
        sources = {name: _absolute(source) for name, source in self.config.test_sources().items()}
        sampling = self.config.model_dump(mode="json", include=set(Sampling.model_fields))
        return {"sandbox": self.config.sandbox.model_dump(mode="json"), "sampling": sampling, **sources}


def _absolute(source: DataSource) -> dict[str, Any]:
    files = [str(path.absolute()) for path in source.files()] or None
    return {**source.model_dump(mode="json"), "data_files": files}
