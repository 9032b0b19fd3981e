"""Rewards by the rules of `answers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness import NoConfig, Reward, RewardBatch, RewardResult
from harness_domains.qa.answers import RULES, right_option, unjudgeable


class QAReward(Reward):
    """1 for a right answer, 0 for a wrong one, an error for a row without the columns of a question."""

    rule: ClassVar[str]

    def __init__(self, config: NoConfig) -> None:
        self._agrees = RULES[self.rule]

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a row has no options or no right letter among them."""
        return [unjudgeable(row) for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self._score(text, row) for text, row in zip(batch.completions, batch.rows, strict=True)]

    def _score(self, completion: str, row: Mapping[str, Any]) -> RewardResult:
        try:
            if self._agrees(completion, row):
                return RewardResult.ok(1.0)
            return RewardResult.ok(0.0, f"the completion does not settle on {row['letter']}: {right_option(row):.80}")
        except ValueError as error:
            return RewardResult.error(str(error))


class LetterReward(QAReward):
    """Rewards the letter of the right option."""

    rule = "letter"


class ShortAnswerReward(QAReward):
    """Rewards the text of the right option."""

    rule = "short"
