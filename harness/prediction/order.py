"""The recommended order of domains for a matrix of predicted damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

from harness.prediction.matrix import PairPrediction

EXACT = 8
"""The maximum number of domains for an exhaustive search (40,320 orders)."""


def order_cost(order: Sequence[str], damage: Mapping[tuple[str, str], float]) -> float:
    """Returns the summed damage of an order: that of each training to every domain trained before it."""
    return sum(damage[later, earlier] for place, later in enumerate(order) for earlier in order[:place])


def mean_damage(pairs: Sequence[PairPrediction]) -> dict[tuple[str, str], float]:
    """Returns the mean predicted damage by (trained, harmed), over all seeds."""
    groups: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        groups.setdefault((pair.trained, pair.harmed), []).append(pair.damage)
    return {key: sum(group) / len(group) for key, group in groups.items()}


def advised_order(domains: Sequence[str], damage: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    """Returns the order with the least summed damage to earlier domains. Ties go to the first in the given order.

    damage: by (trained, harmed), for every ordered pair. The sum treats pairs as independent, which is an approximation
    once domains were trained. With more than `EXACT` domains, the order is built greedily from its end: the domain with
    the lowest damage to the remaining domains, minus their damage to it, goes last.
    """
    if len(domains) <= EXACT:
        return min(permutations(domains), key=lambda order: order_cost(order, damage))
    left, ending = list(domains), []
    while left:
        last = min(left, key=lambda one: sum(damage[one, other] - damage[other, one] for other in left if other != one))
        left.remove(last)
        ending.append(last)
    return tuple(reversed(ending))
