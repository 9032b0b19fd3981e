"""The reward `reasoning-gym-verifier`: the score of the task's verifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from harness import Config, Reward, RewardBatch, RewardResult
from harness_domains.reasoning_gym.catalogue import package_version
from harness_domains.reasoning_gym.problems import ENTRY_COLUMN
from harness_domains.reasoning_gym.verifier import judge

_NO_ENTRY = f"the row has no column `{ENTRY_COLUMN}`"


class ReasoningGymRewardConfig(Config):
    """The time limit of a verification."""

    timeout_seconds: float = Field(default=10.0, gt=0, description="for verifying one answer")


class ReasoningGymReward(Reward):
    """The verifier's score, from 0 to 1. The row names the task and the form of the answer."""

    def __init__(self, config: ReasoningGymRewardConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        return f"reasoning-gym {package_version()}"

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a row does not identify its problem."""
        return [None if isinstance(row.get(ENTRY_COLUMN), str) else _NO_ENTRY for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self._score(text, row) for text, row in zip(batch.completions, batch.rows, strict=True)]

    def _score(self, completion: str, row: Mapping[str, Any]) -> RewardResult:
        entry = row.get(ENTRY_COLUMN)
        if not isinstance(entry, str):
            return RewardResult.error(_NO_ENTRY)
        return judge(completion, entry, self.config.timeout_seconds)
