"""The lm-eval task of a domain of one's own data: its items, how long answers are, and the rule that scores them.

All of it comes from the domain's config, which the harness hands over as the task's metadata; `lm-eval --metadata
'{"jsonl": {"data_files": "mine.jsonl"}}'` does the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from lm_eval.api.task import ConfigurableTask

from harness.domains import ReadsThinking
from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.rows import test_items
from harness_domains.jsonl.rules import rule_named

_RULE = "scored by"


def items(jsonl: Mapping[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: the held-out items of the domain whose config is `jsonl`.

    Every item carries its rule, for a task's scoring function is handed the item and nothing else.
    """
    config = JsonlConfig(**(jsonl or {}))
    held_out = test_items(config)
    return {"test": held_out.add_column(_RULE, [json.dumps(config.score)] * len(held_out))}


def score(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Returns `score`, 1.0 where the answer is right, else 0.0; `unjudged` is 1.0 for an item that the rule cannot
    judge, whose score is 0.0."""
    verdict = rule_named(json.loads(item[_RULE])).judge(results[0], item)
    return {"score": verdict.value or 0.0, "unjudged": float(verdict.value is None)}


class JsonlTask(ReadsThinking, ConfigurableTask):
    """A generation task whose length, stops and temperature are the domain's, which a YAML file cannot say."""

    def __init__(self, config: dict[str, Any]) -> None:
        domain = JsonlConfig(**config["metadata"].get("jsonl", {}))
        sampling = {"do_sample": True, "temperature": domain.temperature, "top_k": 0, "top_p": 1.0}
        generation = {"until": list(domain.stop), "max_gen_toks": domain.completion_tokens}
        generation |= sampling if domain.temperature else {"do_sample": False}
        task = {key: value for key, value in config.items() if key != "class"}
        super().__init__(config=task | {"generation_kwargs": generation})
