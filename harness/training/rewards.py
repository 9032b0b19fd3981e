"""Routes each completion to its own domain's reward, and counts what comes back.

An error or a time-out is never a reward of zero: TRL gets None for it, and past `max_error_rate` the step stops.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.completions import THINK_START, whole_completion
from harness.errors import StepFailed
from harness.interfaces import RewardBatch, RewardResult, TrainingDomain
from harness.training.endings import Endings

LogMetric = Callable[[str, float], None]

DOMAIN_COLUMN = "domain"
TRUNCATED = "truncated"
"""The metric with the share of a step's completions that reached the longest length; `truncated/<domain>` of one's."""
_FEWEST_FOR_A_RATE = 20


class RewardRouter:
    """A TRL reward function over several domains; `counts` has, for each domain, how often each outcome came back."""

    __name__ = "reward"  # TRL names its metrics after the function

    def __init__(self, domains: Sequence[TrainingDomain], max_error_rate: float) -> None:
        self.domains = {domain.name: domain for domain in domains}
        self.max_error_rate = max_error_rate
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in self.domains}
        self._last_detail: dict[str, str] = {}
        self._endings: Endings | None = None
        self._chat_opens_thinking = False

    def read_with(self, endings: Endings, *, chat_opens_thinking: bool) -> None:
        """Takes what is known of the completions' ends, and whether the chat template opens the thinking."""
        self._endings, self._chat_opens_thinking = endings, chat_opens_thinking

    def __call__(self, *, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Returns one reward a row, None where there is none. Raises StepFailed on an unrouted row, a broken contract,
        or too many errors."""
        log_metric = columns.get("log_metric") or _nothing
        routes = columns.get(DOMAIN_COLUMN)
        if routes is None or len(routes) != len(prompts):
            raise StepFailed(f"the training data have no column {DOMAIN_COLUMN!r}, so no row has a reward")
        rows = _rows(columns, len(prompts))
        rewards: list[float | None] = [None] * len(prompts)
        for name in sorted(set(routes)):
            indices = [index for index, route in enumerate(routes) if route == name]
            results = self._score(
                name, [prompts[i] for i in indices], [completions[i] for i in indices], [rows[i] for i in indices]
            )
            for index, result in zip(indices, results, strict=True):
                rewards[index] = result.value
            values = [result.value for result in results if result.value is not None]
            if values:
                log_metric(f"reward/{name}", sum(values) / len(values))
        self._log_truncated(routes, columns.get("completion_ids"), log_metric)
        self._stop_on_errors()
        return rewards

    def go_on_from(self, outcomes: Mapping[str, Mapping[str, int]]) -> None:
        """Takes over the counts of a resumed step."""
        self.counts = {name: Counter(outcomes.get(name, {})) for name in self.domains}

    def _score(
        self, name: str, prompts: list[Any], completions: list[Any], rows: list[Mapping[str, Any]]
    ) -> Sequence[RewardResult]:
        if name not in self.domains:
            raise StepFailed(
                f"a training row belongs to the domain {name!r}, which has no reward here",
                hint=f"the step trains on {', '.join(self.domains)}",
            )
        texts = [self._text(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        batch = RewardBatch(prompts=prompts, completions=texts, rows=rows)
        reward = self.domains[name].reward
        results = reward.score(batch)
        _check_contract(
            results, len(prompts), where=f"reward of {name} ({type(reward).__module__}.{type(reward).__name__})"
        )
        for result in results:
            self.counts[name][result.outcome] += 1
            if result.outcome in ("error", "timeout"):
                self._last_detail[name] = result.detail
        return results

    def _text(self, prompt: Any, completion: Any) -> str:
        """Returns a completion's text up to where it ends, a thought that the prompt has opened opened again."""
        text = _text(completion)
        if self._endings is not None:
            text = self._endings.text(text)
        if isinstance(prompt, str):
            return whole_completion(prompt, text)
        return whole_completion(THINK_START, text) if self._chat_opens_thinking else text

    def _log_truncated(self, routes: Sequence[str], ids: Sequence[Sequence[int]] | None, log_metric: LogMetric) -> None:
        if self._endings is None or ids is None:
            return
        truncated = [self._endings.truncated(tokens) for tokens in ids]
        log_metric(TRUNCATED, sum(truncated) / len(truncated))
        for name in sorted(set(routes)):
            own = [cut for cut, route in zip(truncated, routes, strict=True) if route == name]
            log_metric(f"{TRUNCATED}/{name}", sum(own) / len(own))

    def _stop_on_errors(self) -> None:
        for name, counts in self.counts.items():
            failed, total = counts["error"] + counts["timeout"], counts.total()
            if total >= _FEWEST_FOR_A_RATE and failed > self.max_error_rate * total:
                raise StepFailed(
                    f"{failed} of {total} rewards of {name} failed, more than the {self.max_error_rate:.0%} allowed;"
                    f" the last one: {self._last_detail.get(name, 'before this process')}",
                    hint="mend the reward, or raise max_error_rate of the training step",
                )


def _nothing(name: str, value: float) -> None:
    pass


def _check_contract(results: Sequence[RewardResult], expected: int, *, where: str) -> None:
    if len(results) != expected:
        raise StepFailed(f"{len(results)} results for {expected} completions", where=where)
    for result in results:
        if not isinstance(result, RewardResult):
            raise StepFailed(f"a result is {result!r}, not a RewardResult", where=where)
        value = result.value
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if (result.outcome == "ok") != numeric or (result.outcome != "ok" and value is not None):
            raise StepFailed(f"a result with outcome {result.outcome} has the value {value!r}", where=where)


def _rows(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    data = {key: value for key, value in columns.items() if isinstance(value, list) and len(value) == count}
    return [{key: value[index] for key, value in data.items()} for index in range(count)]


def _text(completion: Any) -> str:
    """Returns a completion's text; a conversational one is the content of its messages."""
    if isinstance(completion, str):
        return completion
    return "".join(str(message["content"]) for message in completion)
