"""A judge's score as a reward; plugins offer it under names of their own, with rubrics of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.domains.judge.client import JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.errors import Problem
from harness.plugin.interfaces import Reward, RewardBatch, RewardResult
from harness.plugin.start_check import StartContext


class JudgeReward(Reward):
    """0, ½ or 1 as the judge says."""

    tried_at_start = False

    def __init__(self, config: JudgeConfig) -> None:
        self.client = JudgeClient(config)

    def fingerprint(self) -> str:
        return f"{self.client.config.model} at {self.client.config.endpoint}"

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        return self.client.faults()

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return self.client.scores(batch.prompts, batch.completions)
