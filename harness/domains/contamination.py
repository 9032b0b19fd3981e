"""How many test items share text with the training problems: runs of thirteen words, as GPT-3's authors counted
(Brown et al. 2020, arXiv 2005.14165, appendix C)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WORDS = 13
_WORD = re.compile(r"\w+|[-+*/=<>^%]")


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How many of `items` test items share a run of thirteen words with a training text, and one that does."""

    items: int
    overlapping: int
    example: str | None

    @property
    def share(self) -> float:
        """The overlapping share of the items, from 0 to 1."""
        return self.overlapping / self.items if self.items else 0.0


def overlap(training: Iterable[str], test: Iterable[str], words: int = WORDS) -> Overlap:
    """Returns how many `test` texts share a run of `words` words with any `training` text.

    Case and punctuation do not count, signs of arithmetic do. A text shorter than that is one run of its own: it
    overlaps with its equals only.
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
