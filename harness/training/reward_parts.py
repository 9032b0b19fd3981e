"""The parts of the domains' rewards as separate reward functions, for algorithms that normalize each by itself.

TRL's `multi_objective_aggregation: normalize_then_sum` is GDPO (arXiv 2601.05242): each reward is normalized within its
group before the weighted sum, so that a part with a small spread counts as much as one with a large spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.plugin.interfaces import RewardResult
from harness.training.rewards import DOMAIN_COLUMN, RewardRouter

NORMALIZES_EACH = "normalize_then_sum"


class RewardPart:
    """A TRL reward function: one part of one domain's reward, None for rows of other domains and for failed rewards.

    part: None for a reward that has no parts.
    """

    def __init__(self, rounds: _Rounds, domain: str, part: str | None, *, first: bool) -> None:
        self.__name__ = domain if part is None else f"{domain}/{part}"
        self._rounds = rounds
        self._domain = domain
        self._part = part
        self._first = first

    def __call__(self, **columns: Any) -> list[float | None]:
        results = self._rounds.scored(**columns) if self._first else self._rounds.last
        return [
            self._value(result) if domain == self._domain else None
            for domain, result in zip(columns[DOMAIN_COLUMN], results, strict=True)
        ]

    def _value(self, result: RewardResult) -> float | None:
        if self._part is None or result.value is None:
            return result.value
        return result.parts[self._part].value


class _Rounds:
    """Scores each round of completions once, when TRL calls the first of the functions."""

    def __init__(self, router: RewardRouter) -> None:
        self._router = router
        self.last: Sequence[RewardResult] = ()

    def scored(self, **columns: Any) -> Sequence[RewardResult]:
        self.last = self._router.results(**columns)
        return self.last


def reward_parts(router: RewardRouter) -> tuple[list[RewardPart], list[float]]:
    """Returns the reward functions of all domains in order, and their weights."""
    rounds = _Rounds(router)
    named: list[tuple[str, str | None, float]] = []
    for name, domain in router.domains.items():
        parts = domain.reward.part_weights
        named += [(name, part, weight) for part, weight in parts.items()] or [(name, None, 1.0)]
    functions = [RewardPart(rounds, name, part, first=not place) for place, (name, part, _) in enumerate(named)]
    return functions, [weight for *_, weight in named]
