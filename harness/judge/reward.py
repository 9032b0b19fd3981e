"""A judge's score as a reward; plugins offer it under names of their own, with rubrics of their own."""

from __future__ import annotations

from collections.abc import Sequence

from harness.interfaces import Reward, RewardBatch, RewardResult
from harness.judge.client import JudgeClient
from harness.judge.config import JudgeConfig


class JudgeReward(Reward):
    """0, ½ or 1 as the judge says."""

    def __init__(self, config: JudgeConfig) -> None:
        self.client = JudgeClient(config)

    def fingerprint(self) -> str:
        return f"{self.client.config.model} at {self.client.config.endpoint}"

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return self.client.scores(batch.prompts, batch.completions)
