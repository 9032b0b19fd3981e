"""Rewards by rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import Reward, RewardBatch, RewardResult
from harness_domains.jsonl.rules import Rule


class RuleReward(Reward):
    """Scores each completion by one rule, 1 or 0."""

    def __init__(self, config: Rule) -> None:
        self.rule = config

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a row has no answer that a completion can match."""
        return [self.rule.unjudgeable(row) for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self.rule.judge(text, row) for text, row in zip(batch.completions, batch.rows, strict=True)]
