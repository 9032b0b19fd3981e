"""A judge's score as a reward. Plugins register it with their own rubrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.domains.judge.client import JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.errors import Problem
from harness.plugin.interfaces import Reward, RewardBatch, RewardResult
from harness.plugin.start_check import StartContext


class JudgeReward(Reward):
    """Rewards with the judge's score: 0, 0.5 or 1."""

    tried_at_start = False

    def __init__(self, config: JudgeConfig) -> None:
        self.client = JudgeClient(config)

    def fingerprint(self) -> str:
        return f"{self.client.config.model} at {self.client.config.endpoint}"

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        return self.client.faults()

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return self.client.scores(batch.prompts, batch.completions)
