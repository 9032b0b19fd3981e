"""The reward `math-verify`: the verifier's result for the last boxed answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from harness import Config, Reward, RewardBatch, RewardResult
from harness_domains.math.judge import Judge, found_answer, why_wrong

_N = r"\d{1,30}(?:\.\d{1,30})?"
_SIMPLE = re.compile(rf"-?(?:{_N})?(?:{_N}|\\[dt]?frac\{{{_N}\}}\{{{_N}\}}|\\sqrt\{{{_N}\}}|\\pi)")
"""Answers that the verifier can certainly read, so that it is not called. Most of the common data sets' are such."""


class MathVerifyConfig(Config):
    """The time limit of a comparison."""

    timeout_seconds: float = Field(default=5.0, gt=0, description="for comparing one answer with its reference")


class MathVerify(Reward):
    """1.0 if the last box after the thinking equals the row's `answer`, or one of a list of answers, else 0.0.

    If a row's `thinks` is true, the thinking must have ended.
    """

    def __init__(self, config: MathVerifyConfig) -> None:
        self._judge = Judge(config.timeout_seconds)
        self._faults: dict[str, str | None] = {}

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a row's answer cannot be read as mathematics. An answer that takes too long to read counts as
        readable, because it may be read the next time."""
        return [_missing(row) or self._unreadable(row) for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self._score(text, row) for text, row in zip(batch.completions, batch.rows, strict=True)]

    def _score(self, completion: str, row: Mapping[str, Any]) -> RewardResult:
        if missing := _missing(row):
            return RewardResult.error(missing)
        thinks = bool(row.get("thinks", False))
        answer, references = found_answer(completion, thinks=thinks), _references(row)
        failed: RewardResult | None = None
        for reference in references:
            result = self._judge.compare(reference, answer)
            if result.value:
                return result
            failed = failed or (result if result.outcome != "ok" else None)
        return failed or RewardResult.ok(0.0, why_wrong(answer, references))

    def _unreadable(self, row: Mapping[str, Any]) -> str | None:
        return next((fault for one in _references(row) if (fault := self._fault(one)) is not None), None)

    def _fault(self, reference: str) -> str | None:
        """Returns why a reference cannot be read. Results are cached, because every training step loads its data."""
        if _SIMPLE.fullmatch(reference):
            return None
        if reference not in self._faults:
            result = self._judge.compare(reference, None)
            self._faults[reference] = result.detail if result.outcome == "error" else None
        return self._faults[reference]


def _references(row: Mapping[str, Any]) -> list[str]:
    answer = row.get("answer")
    return [str(one).strip() for one in (answer if isinstance(answer, list | tuple) else [answer])]


def _missing(row: Mapping[str, Any]) -> str | None:
    answer = row.get("answer")
    answers = answer if isinstance(answer, list | tuple) else [answer]
    if not answers or any(one is None for one in answers):
        return "the row has no column `answer`" if "answer" not in row else "the row has no answer"
    if odd := [one for one in answers if not isinstance(one, str | int | float)]:
        return f"the row's answer contains {odd[0]!r:.40}, which is neither text nor a number"
    return None if all(_references(row)) else "the row's answer is empty"
