"""The reward."""

from collections.abc import Sequence

from harness import NoConfig, Reward, RewardBatch, RewardResult
from harness_reversal.numbers import answer_to


def digits_in_place(completion: str, answer: str) -> float:
    """Returns the share of positions, of the longer of the two, where they agree."""
    given = completion.strip()
    right = sum(mine == theirs for mine, theirs in zip(given, answer, strict=False))
    return right / max(len(given), len(answer))


class ReversedDigits(Reward):
    """Partial credit, so that a model that never reversed a number has something to learn from."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [self._score(prompt, text) for prompt, text in zip(batch.prompts, batch.completions, strict=True)]

    def _score(self, prompt: str, completion: str) -> RewardResult:
        try:
            return RewardResult.ok(digits_in_place(completion, answer_to(prompt)))
        except ValueError as error:
            return RewardResult.error(str(error))
