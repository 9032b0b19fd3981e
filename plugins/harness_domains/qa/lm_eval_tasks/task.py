"""The lm-eval tasks: their items, generation settings and scoring rule come from the domain's config.

The harness passes the config as the tasks' metadata, as does
`lm-eval --metadata '{"super_gpqa": {"data_files": "some.jsonl"}}'`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from harness.domains import GenerationTask, answer_sampling
from harness_domains.qa.answers import RULES, unjudgeable
from harness_domains.qa.config import config_from
from harness_domains.qa.questions import held_out_questions


def qa(**metadata: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for the user's own questions."""
    return _items(metadata, "qa")


def super_gpqa(**metadata: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for SuperGPQA."""
    return _items(metadata, "super_gpqa")


def mmlu_pro(**metadata: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for MMLU-Pro."""
    return _items(metadata, "mmlu_pro")


def right(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Returns `right`, 1.0 for a right answer and else 0.0, and `unjudged`, 1.0 for an item without a valid letter."""
    if unjudgeable(item) is not None:
        return {"right": 0.0, "unjudged": 1.0}
    return {"right": float(RULES[item["rule"]](results[0], item)), "unjudged": 0.0}


class QuestionTask(GenerationTask):
    """A generation task that takes length, stop texts and temperature from the domain's config."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return answer_sampling(config_from(task["metadata"], task["task"].removeprefix("harness_")))


def _items(metadata: Mapping[str, Any], key: str) -> dict[str, Dataset]:
    config = config_from(dict(metadata), key)
    questions = held_out_questions(config)
    return {"test": questions.add_column("rule", [config.answers] * len(questions))}
