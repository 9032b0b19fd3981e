"""The functions of the generated lm-eval tasks: items, generation settings and scoring.

They follow the domain's config, which the harness passes as the task's metadata, as does `lm-eval --metadata
'{"reasoning_gym": {"task": "leg_counting"}}'`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from harness.domains import SOURCE_TEXT, GenerationTask, answer_sampling
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


class GeneratedTask(GenerationTask):
    """A generation task that takes its length and temperature from the domain's config."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return answer_sampling(ReasoningGymConfig(**task["metadata"]["reasoning_gym"]))
