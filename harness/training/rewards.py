"""Routes each completion to the reward of its domain and counts the outcomes.

An error or a timeout is not a reward of zero: TRL receives None, ignores the completion in its group's mean and
standard deviation, and gives it no advantage. The step stops if more than `max_error_rate` of a domain's latest rewards
fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.domains.reward_limits import NO_LIMITS, CallLimits
from harness.domains.scoring import Scoring, finished, score_together, timed_rewards
from harness.errors import StepFailed
from harness.plugin.interfaces import NEVER_VARIED, RewardBatch, RewardResult, TrainingDomain
from harness.training.endings import Endings, text_for_reward
from harness.training.reward_record import RewardRecord, mean_of_parts

LogMetric = Callable[[str, float], None]

DOMAIN_COLUMN = "domain"
TRUNCATED = "truncated"
"""The share of a step's completions that reached the maximum length; `truncated/<domain>` per domain."""
SECONDS = "reward_seconds"
"""`reward_seconds/<domain>` is the wall time of a step's rewards, `…/<part>` that of a part."""
_FEWEST_FOR_A_RATE = 20


class RewardRouter:
    """A TRL reward function over several domains. `record` has the outcomes so far."""

    __name__ = "reward"  # TRL names its metrics after the function

    def __init__(
        self, domains: Sequence[TrainingDomain], max_error_rate: float, limits: CallLimits = NO_LIMITS
    ) -> None:
        self.domains = {domain.name: domain for domain in domains}
        self.max_error_rate = max_error_rate
        self.limits = limits
        self.record = RewardRecord(list(self.domains))
        self._detail: dict[str, str] = {}
        self._endings: Endings | None = None
        self._chat_opens_thinking = False

    @property
    def counts(self) -> Mapping[str, Counter[str]]:
        """Returns the number of each outcome per domain."""
        return self.record.outcomes

    def read_with(self, endings: Endings, *, chat_opens_thinking: bool) -> None:
        """Sets how completions end, and whether the chat template opens a thinking section."""
        self._endings, self._chat_opens_thinking = endings, chat_opens_thinking

    def __call__(self, *, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Returns one reward per row, None if it failed.

        Raises StepFailed for a row without a domain or too many errors, PluginError if a reward breaks its contract.
        """
        return [result.value for result in self.results(prompts=prompts, completions=completions, **columns)]

    def results(self, *, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[RewardResult]:
        """Returns the result of each row, and counts and logs it. Raises the errors of a call."""
        log_metric = columns.get("log_metric") or _nothing
        routes = columns.get(DOMAIN_COLUMN)
        if routes is None or len(routes) != len(prompts):
            raise StepFailed(f"the training data have no column {DOMAIN_COLUMN!r}, so no row has a reward")
        rows = _rows(columns, len(prompts))
        texts = [
            text_for_reward(prompt, _text(completion), self._endings, chat_opens_thinking=self._chat_opens_thinking)
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        indices = {name: [i for i, route in enumerate(routes) if route == name] for name in sorted(set(routes))}
        scorings = [
            self._scoring(
                name,
                RewardBatch(
                    prompts=[prompts[i] for i in own], completions=[texts[i] for i in own], rows=[rows[i] for i in own]
                ),
            )
            for name, own in indices.items()
        ]
        with timed_rewards() as seconds:
            scored = finished(score_together(scorings))
        by_row: dict[int, RewardResult] = {}
        for (name, own), results in zip(indices.items(), scored, strict=True):
            by_row.update(zip(own, results, strict=True))
            self.record.add(name, results)
            self.record.add_round(name, [prompts[i] for i in own], results)
            failures = [result.detail for result in results if result.outcome in ("error", "timeout")]
            if failures:
                self._detail[name] = failures[0]
            values = [result.value for result in results if result.value is not None]
            if values:
                log_metric(f"reward/{name}", sum(values) / len(values))
            for part, mean in mean_of_parts(results).items():
                log_metric(f"reward/{name}/{part}", mean)
        for name, rounds in self.record.never_varied().items():
            log_metric(f"{NEVER_VARIED}{name}", rounds)
        self.record.add_seconds(seconds)
        for name, spent in seconds.items():
            log_metric(f"{SECONDS}/{name}", spent)
        self._log_truncated(routes, columns.get("completion_ids"), log_metric)
        self._stop_on_errors()
        return [by_row[index] for index in range(len(prompts))]

    def go_on_from(self, record: Mapping[str, Any]) -> None:
        """Restores the record of a resumed step from plain data."""
        self.record = RewardRecord.from_json(list(self.domains), record)

    def check_any_scored(self) -> None:
        """Raises StepFailed if all rewards of a domain failed. The error rate does not detect this for few rewards."""
        for name, counts in self.counts.items():
            failed = counts["error"] + counts["timeout"]
            if failed == counts.total() and self.max_error_rate < 1 and failed:
                raise self._failure(f"all {failed} rewards of {name} failed", name, counts)

    def _scoring(self, name: str, batch: RewardBatch) -> Scoring:
        if name not in self.domains:
            raise StepFailed(
                f"a training row belongs to the domain {name!r}, which has no reward here",
                hint=f"the step trains on {', '.join(self.domains)}",
            )
        reward = self.domains[name].reward
        return Scoring(name=name, reward=reward, batch=batch, label=self._label(name), limits=self.limits)

    def _label(self, name: str) -> str:
        domain = self.domains[name]
        kind = type(domain.reward)
        return f"{domain.reward_label or f'{kind.__module__}.{kind.__name__}'} (reward of {name})"

    def _log_truncated(self, routes: Sequence[str], ids: Sequence[Sequence[int]] | None, log_metric: LogMetric) -> None:
        if self._endings is None or ids is None:
            return
        truncated = [self._endings.truncated(tokens) for tokens in ids]
        log_metric(TRUNCATED, sum(truncated) / len(truncated))
        for name in sorted(set(routes)):
            own = [cut for cut, route in zip(truncated, routes, strict=True) if route == name]
            log_metric(f"{TRUNCATED}/{name}", sum(own) / len(own))

    def _stop_on_errors(self) -> None:
        for name in self.domains:
            counts = self.record.latest(name)
            failed, total = counts["error"] + counts["timeout"], counts.total()
            if total >= _FEWEST_FOR_A_RATE and failed > self.max_error_rate * total:
                raise self._failure(
                    f"{failed} of the latest {total} rewards of {name} failed, more than the"
                    f" {self.max_error_rate:.0%} allowed",
                    name,
                    counts,
                )

    def _failure(self, message: str, name: str, counts: Counter[str]) -> StepFailed:
        errors, timeouts = counts["error"], counts["timeout"]
        return StepFailed(
            f"{message} ({errors} errors, {timeouts} timeouts): {self._detail.get(name, 'before this process')}",
            where=self._label(name),
            hint="fix the reward, or raise max_error_rate of the training step",
        )


def _nothing(name: str, value: float) -> None:
    pass


def _rows(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    data = {key: value for key, value in columns.items() if isinstance(value, list) and len(value) == count}
    return [{key: value[index] for key, value in data.items()} for index in range(count)]


def _text(completion: Any) -> str:
    """Returns a completion's text: for chat messages, their content."""
    if isinstance(completion, str):
        return completion
    return "".join(str(message["content"]) for message in completion)
