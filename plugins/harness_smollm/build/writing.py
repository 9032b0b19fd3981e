"""Rows of the writing domain in IFEval's columns: a short text on a topic, under constraints that a program checks.

Each text must name its topic and have a minimum length, so that a text such as "The end." does not meet everything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from harness_smollm.build.words import TOPICS

Split = Literal["train", "test"]
FORMS = ("a short story", "a short description", "a letter to a friend", "a poem")
LENGTHS = (20, 25, 30)
_Constraint = tuple[str, str, Mapping[str, Any]]
_STYLES: tuple[_Constraint, ...] = (
    ("Do not use any commas.", "punctuation:no_comma", {}),
    ("Do not use the word and.", "keywords:forbidden_words", {"forbidden_words": ["and"]}),
    ("Write in all lowercase letters.", "change_case:english_lowercase", {}),
    ("Give it a title in double angular brackets, such as <<title>>.", "detectable_format:title", {}),
    ("End with the exact words: The end.", "startend:end_checker", {"end_phrase": "The end."}),
)


def writing_rows(split: Split, draw: random.Random) -> Iterator[Mapping[str, Any]]:
    """Yields rows without end: a topic word, a minimum number of words, and one constraint of style or repetition."""
    while True:
        topic, words = draw.choice(TOPICS[split]), draw.choice(LENGTHS)
        repeated = {"relation": "at least", "keyword": topic, "frequency": 3}
        constraints: list[_Constraint] = [
            (f"Use the word {topic}.", "keywords:existence", {"keywords": [topic]}),
            (
                f"Write at least {words} words.",
                "length_constraints:number_words",
                {"relation": "at least", "num_words": words},
            ),
            draw.choice((*_STYLES, (f"Use the word {topic} at least 3 times.", "keywords:frequency", repeated))),
        ]
        request = f"Write {draw.choice(FORMS)} about {_article(topic)} {topic}."
        yield {
            "prompt": " ".join([request, *(text for text, _, _ in constraints)]),
            "instruction_id_list": [identifier for _, identifier, _ in constraints],
            "kwargs": [dict(arguments) for _, _, arguments in constraints],
        }


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
