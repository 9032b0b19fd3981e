"""Rows of the math domain: short arithmetic and word problems of one step. Answers are numbers from 0."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from harness_smollm.build.words import NAMES, THINGS

Split = Literal["train", "test"]
_TEST_SHARE = 4
"""One pair of numbers in four is kept for the test, by a hash, so that no problem is in both."""

_NUMBERS: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "+": ((1, 10), (1, 10)),
    "-": ((1, 10), (1, 10)),
    "*": ((2, 9), (2, 5)),
}
"""The smallest and the largest first and second number. With larger ones, the base model has almost no right answer."""


def math_rows(split: Split, draw: random.Random) -> Iterator[Mapping[str, str]]:
    """Yields rows without end: two sums, differences or products for each word problem."""
    while True:
        for make in (_plain, _plain, _story):
            kind, first, second, answer = _numbers(split, draw)
            yield {"question": make(kind, first, second, split, draw), "answer": str(answer)}


def _numbers(split: Split, draw: random.Random) -> tuple[str, int, int, int]:
    while True:
        kind = draw.choice(("+", "-", "*"))
        first, second = (draw.randint(*span) for span in _NUMBERS[kind])
        if kind == "-" and first < second:
            first, second = second, first
        digest = hashlib.sha256(f"{first} {kind} {second}".encode()).digest()
        if (digest[0] % _TEST_SHARE == 0) == (split == "test"):
            return kind, first, second, {"+": first + second, "-": first - second, "*": first * second}[kind]


def _plain(kind: str, first: int, second: int, split: Split, draw: random.Random) -> str:
    return draw.choice(("What is {} {} {}?", "Calculate {} {} {}.", "{} {} {} = ?")).format(first, kind, second)


def _story(kind: str, first: int, second: int, split: Split, draw: random.Random) -> str:
    name, things = draw.choice(NAMES[split]), draw.choice(THINGS[split])
    return draw.choice(_STORIES[kind])(name, things, first, second)


_Story = Callable[[str, str, int, int], str]
_STORIES: Mapping[str, tuple[_Story, ...]] = {
    "+": (
        lambda name, things, a, b: f"{name} has {a} {things} and buys {b} more. How many {things} does {name} have?",
        lambda name, things, a, b: (
            f"There are {a} {things} on the table and {b} in a box. How many {things} are there in all?"
        ),
    ),
    "-": (
        lambda name, things, a, b: (
            f"{name} had {a} {things} and gave {b} of them away. How many {things} does {name} have left?"
        ),
        lambda name, things, a, b: f"A shop has {a} {things} and sells {b}. How many {things} are left?",
    ),
    "*": (
        lambda name, things, a, b: (
            f"{name} fills {b} boxes with {a} {things} each. How many {things} are there in the boxes?"
        ),
        lambda name, things, a, b: f"Each child gets {a} {things}. How many {things} do {b} children get together?",
    ),
}
