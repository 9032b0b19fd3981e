"""The reward: the verifier's word on the last boxed answer."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from harness import Config, Reward, RewardBatch, RewardResult
from harness_math.judge import Judge


class MathVerifyConfig(Config):
    """How long an answer may take."""

    timeout_seconds: float = Field(default=5.0, gt=0, description="for comparing one answer with its reference")


class MathVerify(Reward):
    """1.0 where the last box after the thinking equals the row's `answer`, else 0.0; a row's `thinks` says that the
    thinking has to have ended."""

    def __init__(self, config: MathVerifyConfig) -> None:
        self._judge = Judge(config.timeout_seconds)

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        results = []
        for completion, row in zip(batch.completions, batch.rows, strict=True):
            if row.get("answer") is None:
                results.append(RewardResult.error("the row has no column `answer`"))
            else:
                thinks = bool(row.get("thinks", False))
                results.append(self._judge.score(completion, str(row["answer"]), thinks=thinks))
        return results
