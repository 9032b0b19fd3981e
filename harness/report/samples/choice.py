"""Chooses the test items whose texts are in the page: those that flipped first, then wrong ones, some right ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle

from harness.report.samples.verdicts import Item, RunVerdicts, Verdicts, items_of
from harness.results.flips import GAINED, LOST, change

PATTERN = (LOST, "wrong", LOST, GAINED, LOST, "wrong", LOST, "right", LOST, "wrong")
"""Of ten items, five flipped from right to wrong in some step, one only the other way, three were never right, and one
was never wrong. Where a class has no more items, the next one that has takes its place."""


def in_order(verdicts: RunVerdicts, domain: str) -> Iterator[Item]:
    """Yields the test items of a domain, those to be shown first in front. The same run gives the same order.

    Within a class, the items that flipped in more steps come first, then those with lower numbers.
    """
    own = verdicts.by_domain[domain]
    flips: dict[str, dict[Item, int]] = {kind: _flips(verdicts, own, kind) for kind in (LOST, GAINED)}
    classes: dict[str, list[Item]] = {kind: [] for kind in dict.fromkeys(PATTERN)}
    for item in items_of(own):
        classes[_class_of(item, own, flips)].append(item)
    for flipped, counts in flips.items():
        classes[flipped].sort(key=lambda item: -counts[item])
    queues = {kind: iter(items) for kind, items in classes.items()}
    for kind in cycle(PATTERN):
        following = next(chain.from_iterable([queues[kind], *queues.values()]), None)
        if following is None:
            return
        yield following


def _flips(verdicts: RunVerdicts, own: Mapping[str, Verdicts], kind: str) -> dict[Item, int]:
    """Returns in how many steps of the run each item changed in this way."""
    counts = dict.fromkeys(items_of(own), 0)
    for before, after in verdicts.steps():
        for item, now in own.get(after, {}).items():
            counts[item] += change(own.get(before, {}).get(item), now) == kind
    return counts


def _class_of(item: Item, own: Mapping[str, Verdicts], flips: Mapping[str, Mapping[Item, int]]) -> str:
    for kind in (LOST, GAINED):
        if flips[kind][item]:
            return kind
    return "right" if any(verdicts.get(item) for verdicts in own.values()) else "wrong"


def shares(sizes: Mapping[str, Sequence[int]], budget: int, most: int) -> dict[str, int]:
    """Returns how many items of each domain are shown: in turn, one of each, until the budget is spent.

    sizes: of the items of each domain in their order. most: items of one domain.
    """
    taken, spent = dict.fromkeys(sizes, 0), 0
    for place in range(most):
        for domain, own in sizes.items():
            if place < len(own) and taken[domain] == place and spent + own[place] <= budget:
                spent += own[place]
                taken[domain] += 1
    return taken
