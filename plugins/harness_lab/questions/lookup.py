"""QA: read two or three facts and give the requested number, by owner or by thing."""

from __future__ import annotations

import random
import re

from harness_lab.questions.base import Question, QuestionKind
from harness_lab.words import NAMES, NOUNS

_FACT = re.compile(r"(\w+) has (\d+) (\w+)\.")
_ASKED = re.compile(r"(\w+)\? A:$")


class Lookup(QuestionKind):
    """`Q: Kim has 99 hat. Bob has 59 map. map? A:` → `59`."""

    name = "qa"
    completion_tokens = 4

    def __init__(self, near_misses: float = 0.7) -> None:
        self.near_misses = near_misses
        """The probability that a wrong answer is another fact's number instead of any number."""

    def question(self, rng: random.Random) -> Question:
        count = rng.choice((2, 3))
        owners, things = rng.sample(NAMES, count), rng.sample(NOUNS, count)
        numbers = rng.sample(range(10, 100), count)
        facts = " ".join(f"{who} has {n} {what}." for who, n, what in zip(owners, numbers, things, strict=True))
        asked = rng.randrange(count)
        key = rng.choice((owners, things))[asked]
        return Question(prompt=f"Q: {facts} {key}? A:", answer=str(numbers[asked]))

    def wrong_answer(self, question: Question, rng: random.Random) -> str:
        others = [number for _, number, _ in _FACT.findall(question.prompt) if number != question.answer]
        if rng.random() < self.near_misses:
            return rng.choice(others)
        return str(rng.choice([number for number in range(10, 100) if str(number) != question.answer]))

    def score(self, prompt: str, completion: str) -> float:
        """Returns 1 if the completion is the number of the requested fact, else 0."""
        asked = _ASKED.search(prompt)
        numbers = [n for who, n, what in _FACT.findall(prompt) if asked and asked[1] in (who, what)]
        if len(numbers) != 1:
            raise ValueError(f"no single fact answers {prompt!r}")
        return float(completion.strip() == numbers[0])


LOOKUP = Lookup()
