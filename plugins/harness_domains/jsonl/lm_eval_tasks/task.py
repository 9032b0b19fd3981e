"""The lm-eval task of a jsonl domain: its items, generation settings and scoring rule come from the domain's config.

The harness passes the config as the task's metadata, as does `lm-eval --metadata '{"jsonl": {"data_files":
"mine.jsonl"}}'`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from harness.domains import GenerationTask, answer_sampling
from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.rows import test_items
from harness_domains.jsonl.rules import rule_named

_RULE = "scored by"


def items(jsonl: Mapping[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: the held-out items of the domain whose config is `jsonl`.

    Every item carries its rule, because a task's scoring function receives the item and nothing else.
    """
    config = JsonlConfig(**(jsonl or {}))
    held_out = test_items(config)
    return {"test": held_out.add_column(_RULE, [json.dumps(config.score)] * len(held_out))}


def score(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Returns `score`, 1.0 for a right answer and else 0.0, and `unjudged`, 1.0 for an item that the rule cannot judge,
    whose score is 0.0."""
    verdict = rule_named(json.loads(item[_RULE])).judge(results[0], item)
    return {"score": verdict.value or 0.0, "unjudged": float(verdict.value is None)}


class JsonlTask(GenerationTask):
    """A generation task that takes length, stop texts and temperature from the domain's config."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return answer_sampling(JsonlConfig(**task["metadata"].get("jsonl", {})))
