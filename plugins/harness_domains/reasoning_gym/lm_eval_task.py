"""The functions of the generated lm-eval tasks: items, generation settings and scoring.

They follow the domain's config, which the harness passes as the task's metadata, as does `lm-eval --metadata
'{"reasoning_gym": {"task": "leg_counting"}}'`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from lm_eval.api.task import ConfigurableTask

from harness.domains import SOURCE_TEXT, ReadsThinking
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.problems import ENTRY_COLUMN, test_problems
from harness_domains.reasoning_gym.verifier import judge

SECONDS = 30.0
"""The time limit for verifying one answer, in seconds. It is longer than the reward's, because no training waits."""


def items(reasoning_gym: Mapping[str, Any], **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: the test problems of the domain whose config is `reasoning_gym`."""
    config = ReasoningGymConfig(**reasoning_gym)
    problems = test_problems(config)
    columns = {
        "prompt": [config.prompt(problem.question) for problem in problems],
        "answer": [problem.answer for problem in problems],
        ENTRY_COLUMN: [problem.row for problem in problems],
        SOURCE_TEXT: [problem.question for problem in problems],
    }
    return {"test": Dataset.from_dict(columns)}


def score(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Returns the verifier's score, whether it is 1, and whether there is none, which counts as 0."""
    result = judge(results[0], item[ENTRY_COLUMN], SECONDS)
    value = result.value or 0.0
    return {"score": value, "solved": float(value >= 1.0), "unjudged": float(result.outcome != "ok")}


class GeneratedTask(ReadsThinking, ConfigurableTask):
    """A generation task that takes its length from the domain's config, which YAML cannot."""

    def __init__(self, config: dict[str, Any]) -> None:
        domain = ReasoningGymConfig(**config["metadata"]["reasoning_gym"])
        generation: dict[str, Any] = {"until": [], "max_gen_toks": domain.completion_tokens, "do_sample": False}
        if domain.temperature:
            generation |= {"do_sample": True, "temperature": domain.temperature, "top_k": 0, "top_p": domain.top_p}
        task = {key: value for key, value in config.items() if key != "class"}
        super().__init__(config=task | {"generation_kwargs": generation})
