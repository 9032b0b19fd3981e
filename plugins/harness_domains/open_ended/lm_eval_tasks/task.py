"""The lm-eval tasks of open-ended domains: held-out prompts, sampled answers, and a judge that scores them.

The harness passes the domain's config as the tasks' metadata, `{"open_ended": {…}}`. A filter asks the judge, not
`process_results`: lm-eval gives a filter all answers at once, so the judge can be sent many requests at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.domains import Comparison, GenerationTask, JudgeClient, JudgeConfig, answer_sampling
from harness_domains.open_ended.config import METADATA, OpenEndedConfig
from harness_domains.open_ended.prompts import held_out

if TYPE_CHECKING:
    from datasets import Dataset

_JUDGE, _PAIR_RUBRIC = "judged by", "compared by"


def items(open_ended: Mapping[str, Any], **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: the held-out prompts. Each row carries the judge's config, because a filter
    receives the rows and nothing else."""
    config = OpenEndedConfig(**open_ended)
    rows = held_out(config)
    if config.scoring == "pairwise":
        rows = rows.add_column(_PAIR_RUBRIC, [config.pair_rubric] * len(rows))
    return {"test": rows.add_column(_JUDGE, [config.judge.model_dump_json()] * len(rows))}


def judged(answers: Iterable[Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> list[list[float | None]]:
    """Returns the judge's score in place of each answer. Raises StepFailed if an answer has no score."""
    client = _client(rows)
    results = client.scores([row["prompt"] for row in rows], [answer for [answer] in answers])
    client.require_all(results)
    return [[result.value] for result in results]


def compared(answers: Iterable[Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> list[list[Comparison]]:
    """Returns the comparison with the reference in place of each answer. Raises StepFailed if one has no verdict."""
    client = _client(rows)
    results = client.comparisons(
        [row["prompt"] for row in rows],
        [answer for [answer] in answers],
        [row["reference"] for row in rows],
        rubric=rows[0][_PAIR_RUBRIC],
    )
    client.require_all(results)
    return [[result] for result in results if isinstance(result, Comparison)]


def score(item: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Returns the judge's score of an answer, from 0 to 1."""
    [[value]] = results
    return {"judge_score": value}


def win_rate(item: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Returns 1 for a win over the reference, 0.5 for a tie, 0 for a loss, and whether the order of the texts changed
    the verdict."""
    [[comparison]] = results
    return {"pairwise_win_rate": comparison.value, "order_flip_share": float(comparison.flipped)}


class Task(GenerationTask):
    """A generation task that takes length, stop texts and temperature from the domain's config."""

    def sampling(self, task: Mapping[str, Any]) -> dict[str, Any]:
        return answer_sampling(OpenEndedConfig(**task["metadata"][METADATA]))


def _client(rows: Sequence[Mapping[str, Any]]) -> JudgeClient:
    return JudgeClient(JudgeConfig(**json.loads(rows[0][_JUDGE])))
