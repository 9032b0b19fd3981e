"""The lm-eval task of an open-ended domain: its items, how answers are sampled, and the judge that scores them.

A filter, and not the scoring function, asks the judge: lm-eval hands it all answers at once, so that many questions are
under way together. All settings come from the task's metadata, `{"open_ended": <the domain's config>}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_eval.api.task import ConfigurableTask

from harness.domains.completions import ReadsThinking
from harness.domains.judge.client import NO_VERDICT, UNREADABLE, JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.domains.judge.open_ended import METADATA, OpenEndedConfig
from harness.domains.judge.verdicts import Comparison
from harness.errors import StepFailed
from harness.plugin.interfaces import RewardResult

if TYPE_CHECKING:
    from datasets import Dataset

_JUDGE, _PAIR_RUBRIC = "judged by", "compared by"


def items(open_ended: Mapping[str, Any], **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits: the held-out prompts. Each carries its judge, for a filter is handed the
    items and nothing else."""
    config = OpenEndedConfig(**open_ended)
    rows = config.held_out()
    if config.scoring == "pairwise":
        rows = rows.add_column(_PAIR_RUBRIC, [config.pair_rubric] * len(rows))
    return {"test": rows.add_column(_JUDGE, [config.judge.model_dump_json()] * len(rows))}


def judged(answers: Iterable[Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Returns the judge's scores in the place of the answers. Raises StepFailed where one has none: a mean over the
    rest would be the score of other items."""
    flat = [(row, answer) for row, given in zip(rows, answers, strict=True) for answer in given]
    client = _client(rows)
    results = client.scores([row["prompt"] for row, _ in flat], [answer for _, answer in flat])
    _check([result for result in results if result.value is None], len(results), client, "score")
    return [[result.value] for result in results if result.value is not None]


def compared(answers: Iterable[Sequence[str]], rows: Sequence[Mapping[str, Any]]) -> list[list[Comparison]]:
    """Returns the judge's comparisons with the rows' references in the place of the answers. Raises StepFailed where
    one has no verdict."""
    flat = [(row, answer) for row, given in zip(rows, answers, strict=True) for answer in given]
    client = _client(rows)
    references = [row["reference"] for row, _ in flat]
    results = client.comparisons([row["prompt"] for row, _ in flat], [answer for _, answer in flat], references)
    _check([result for result in results if isinstance(result, RewardResult)], len(results), client, "verdict")
    return [[result] for result in results if isinstance(result, Comparison)]


def _client(rows: Sequence[Mapping[str, Any]]) -> JudgeClient:
    config = JudgeConfig(**json.loads(rows[0][_JUDGE]))
    rubric = rows[0].get(_PAIR_RUBRIC, config.rubric)
    return JudgeClient(config.model_copy(update={"rubric": rubric}))


def _check(failed: Sequence[RewardResult], count: int, client: JudgeClient, wanted: str) -> None:
    if failed:
        unreadable = all(result.detail.startswith((UNREADABLE, NO_VERDICT)) for result in failed)
        raise StepFailed(
            f"{len(failed)} of {count} answers have no {wanted}; the last one: {failed[-1].detail}",
            where=f"{client.config.model} at {client.config.endpoint}",
            hint=f"raise the judge's max_tokens, mend its rubric, or remove {client.config.cache} to ask anew"
            if unreadable
            else "is the judge's server up? run again: what it has answered is kept",
        )


def score(item: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Returns the judge's score of an item's answer, from 0 to 1."""
    [[value]] = results
    return {"judge_score": value}


def win_rate(item: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Returns what an item's answer is worth against its reference, 1, ½ or 0, and whether the order decided it."""
    [[comparison]] = results
    return {"pairwise_win_rate": comparison.value, "order_flip_share": float(comparison.flipped)}


class OpenEndedTask(ReadsThinking, ConfigurableTask):  # type: ignore[misc]
    """A generation task whose length, stops and temperature are the domain's, which a YAML file cannot say."""

    def __init__(self, config: dict[str, Any]) -> None:
        domain = OpenEndedConfig(**config["metadata"][METADATA])
        sampling = {"do_sample": True, "temperature": domain.temperature, "top_k": 0, "top_p": 1.0}
        generation = {"until": list(domain.stop), "max_gen_toks": domain.completion_tokens}
        generation |= sampling if domain.temperature else {"do_sample": False}
        task = {key: value for key, value in config.items() if key != "class"}
        super().__init__(config=task | {"generation_kwargs": generation})
