"""The interface of metrics and its input; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ScoreMatrix:
    """The complete scores of one method and seed.

    domains: the domains of the leaderboard, in order. scores: `scores[k][domain]` is the score after step k, where k =
    0 is the base model. trained: the domains trained by each step. recovered: the domain recovered by each step, or a
    tuple of several; None for other steps. lower_is_better: the columns where lower scores are better. evaluation_only:
    the scores after each step in the columns that no method trains.
    """

    domains: tuple[str, ...]
    scores: tuple[Mapping[str, float], ...]
    trained: tuple[tuple[str, ...], ...]
    recovered: tuple[str | tuple[str, ...] | None, ...]
    lower_is_better: frozenset[str] = frozenset()
    evaluation_only: tuple[Mapping[str, float], ...] = ()

    @property
    def final(self) -> Mapping[str, float]:
        """The scores after the last step."""
        return self.scores[-1]

    def last_training(self, domain: str) -> int | None:
        """Returns the index of the last training step on the domain, ignoring recoveries; None if there is none."""
        steps = [
            step
            for step, (trained, recovered) in enumerate(zip(self.trained, self.recovered, strict=True))
            if recovered is None and domain in trained
        ]
        return steps[-1] if steps else None


class Metric(ABC):
    """A number computed from the scores of a method; a column of the leaderboard."""

    @abstractmethod
    def compute(self, scores: ScoreMatrix) -> float | None:
        """Returns the metric for one method and seed, or None if it is undefined. Called for each seed with complete
        scores; the leaderboard shows the mean over seeds with its confidence interval."""
