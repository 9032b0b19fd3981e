"""Rows of the question-answering domain: two sentences, a question, and an answer that one of them contains."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Literal

from harness_smollm.build.words import NAMES, PLACES, THINGS

Split = Literal["train", "test"]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_QUESTIONS = (
    ("Who went to {place}?", "name"),
    ("Where did {name} go?", "place"),
    ("On which day did {name} go to {place}?", "day"),
    ("How many {things} did {name} bring?", "count"),
    ("What did {name} bring?", "things"),
)


def qa_rows(split: Split, draw: random.Random) -> Iterator[Mapping[str, str]]:
    """Yields rows without end. Both sentences have facts of the same kinds, so that copying a word at random rarely
    gives the answer."""
    while True:
        names = draw.sample(NAMES[split], 2)
        places = draw.sample(PLACES[split], 2)
        things = draw.sample(THINGS[split], 2)
        days = draw.sample(DAYS, 2)
        counts = draw.sample(range(3, 60), 2)
        facts = [
            {"name": name, "place": place, "things": thing, "day": day, "count": str(count)}
            for name, place, thing, day, count in zip(names, places, things, days, counts, strict=True)
        ]
        asked = draw.randrange(2)
        question, answer = draw.choice(_QUESTIONS)
        yield {
            "passage": " ".join(_sentence(fact, draw) for fact in facts),
            "question": question.format(**facts[asked]),
            "answer": facts[asked][answer].removeprefix("the "),
        }


def _sentence(fact: Mapping[str, str], draw: random.Random) -> str:
    return draw.choice(
        (
            "On {day}, {name} went to {place} and brought {count} {things}.",
            "{name} went to {place} on {day} with {count} {things} in a bag.",
            "It was {day} when {name} brought {count} {things} to {place}.",
        )
    ).format(**fact)
