"""Counts the test items that share a run of thirteen words with the training problems, as in Brown et al. 2020
(arXiv 2005.14165, appendix C)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WORDS = 13
_WORD = re.compile(r"\w+|[-+*/=<>^%]")


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The number of test items, how many of them overlap with a training text, and an example of those."""

    items: int
    overlapping: int
    example: str | None

    @property
    def share(self) -> float:
        """The overlapping share of the items, from 0 to 1."""
        return self.overlapping / self.items if self.items else 0.0


def overlap(training: Iterable[str], test: Iterable[str], words: int = WORDS) -> Overlap:
    """Returns how many `test` texts share a run of `words` words with any `training` text.

    Case and punctuation are ignored; arithmetic signs count as words. A shorter text is a single run: it overlaps only
    with equal texts.
    """
    seen = {run for text in training for run in _runs(text, words)}
    items = overlapping = 0
    example = None
    for text in test:
        items += 1
        if any(run in seen for run in _runs(text, words)):
            overlapping += 1
            example = example or text
    return Overlap(items=items, overlapping=overlapping, example=example)


def _runs(text: str, words: int) -> Iterator[tuple[str, ...]]:
    found = _WORD.findall(text.lower())
    for start in range(max(1, len(found) - words + 1)):
        yield tuple(found[start : start + words])
