"""The order of domains that a matrix of damages advises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

EXACT = 8
"""Up to so many domains every order is tried: 40,320 of them."""


def order_cost(order: Sequence[str], damage: Mapping[tuple[str, str], float]) -> float:
    """Returns the damage that the order adds up to: that of each training to every domain trained before it."""
    return sum(damage[later, earlier] for place, later in enumerate(order) for earlier in order[:place])


def advised_order(domains: Sequence[str], damage: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    """Returns the order with the least summed damage to earlier domains; of equals, the first by the given order.

    damage: by (trained, harmed), for every ordered pair. The sum takes the pairs as independent, which they are not
    once domains were trained. Beyond `EXACT` domains the order is built from its end: each time the domain whose
    training harms those left least, less what they would do to it, goes last.
    """
    if len(domains) <= EXACT:
        return min(permutations(domains), key=lambda order: order_cost(order, damage))
    left, ending = list(domains), []
    while left:
        last = min(left, key=lambda one: sum(damage[one, other] - damage[other, one] for other in left if other != one))
        left.remove(last)
        ending.append(last)
    return tuple(reversed(ending))
