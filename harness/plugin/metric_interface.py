"""What a `MetricSpec` loads into, and the scores it is given; `harness` exports both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ScoreMatrix:
    """All scores of one method with one seed, none missing: `scores[k][domain]` after step k, k = 0 being the base.

    domains: the leaderboard's columns in order. trained: by step, the domains that it trained. recovered: by step, the
    domain that it recovered, else None. lower_is_better: the domains of that direction.
    """

    domains: tuple[str, ...]
    scores: tuple[Mapping[str, float], ...]
    trained: tuple[tuple[str, ...], ...]
    recovered: tuple[str | None, ...]
    lower_is_better: frozenset[str] = frozenset()

    @property
    def final(self) -> Mapping[str, float]:
        """The scores after the last step."""
        return self.scores[-1]

    def last_training(self, domain: str) -> int | None:
        """Returns the index of the last step that trained the domain, recoveries apart; None where none did."""
        steps = [
            step
            for step, (trained, recovered) in enumerate(zip(self.trained, self.recovered, strict=True))
            if recovered is None and domain in trained
        ]
        return steps[-1] if steps else None


class Metric(ABC):
    """A number of a method that its scores determine: a further column of the leaderboard."""

    @abstractmethod
    def compute(self, scores: ScoreMatrix) -> float | None:
        """Returns the metric for one method and seed, None where it is not defined. Called for each seed that has all
        its scores; the leaderboard shows the mean over seeds with its interval."""
