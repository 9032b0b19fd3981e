"""Creative writing: one sentence of two clauses on two topics, judged by a rubric of six points."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from harness_lab.questions.base import Question, QuestionKind
from harness_lab.words import ADJECTIVES, ARTICLES, NOUNS, VERBS

LONGEST_SENTENCE = 11
_TOPICS = re.compile(r"Q: (\w+) (\w+)\? A:")


class Writing(QuestionKind):
    """`Q: sun dog? A:` → ` the shy sun sat, a fun dog fell.`"""

    name = "cw"
    completion_tokens = 16

    def question(self, rng: random.Random) -> Question:
        topics = rng.sample(NOUNS, 2)
        return Question(prompt=f"Q: {topics[0]} {topics[1]}? A:", answer=_sentence(topics, rng))

    def with_prompt(self, prompt: str) -> Question:
        """Returns the question of a prompt, with one of many right answers."""
        return Question(prompt=prompt, answer=_sentence(_topics(prompt), random.Random(prompt)))

    def right_answer(self, question: Question, rng: random.Random) -> str:
        return _sentence(_topics(question.prompt), rng)

    def wrong_answer(self, question: Question, rng: random.Random) -> str:
        """Returns a sentence with one to three faults, so that wrong answers differ in quality."""
        while True:
            text = _sentence(_topics(question.prompt), rng)
            for fault in rng.sample(_FAULTS, rng.randint(1, 3)):
                text = fault(text, rng)
            if self.score(question.prompt, text) < 1:
                return text

    def score(self, prompt: str, completion: str) -> float:
        """Returns the share of the rubric's points that are met: first topic, second topic, a full stop at the end
        and nowhere else, at least two adjectives, at least two verbs, at most eleven words and punctuation marks."""
        words = re.findall(r"\w+|[.,]|\S", completion)
        first, second = _topics(prompt)
        points = (
            first in words,
            second in words,
            words.count(".") == 1 and words[-1] == ".",
            len({*words} & {*ADJECTIVES}) >= 2,
            len({*words} & {*VERBS}) >= 2,
            0 < len(words) <= LONGEST_SENTENCE,
        )
        return sum(points) / len(points)


def _topics(prompt: str) -> list[str]:
    topics = _TOPICS.search(prompt)
    if topics is None:
        raise ValueError(f"no two topics in {prompt!r}")
    return list(topics.groups())


def _sentence(topics: list[str], rng: random.Random) -> str:
    adjectives, verbs = rng.sample(ADJECTIVES, 2), rng.sample(VERBS, 2)
    clauses = [
        f" {rng.choice(ARTICLES)} {adjective} {topic} {verb}"
        for adjective, topic, verb in zip(adjectives, topics, verbs, strict=True)
    ]
    return ",".join(clauses) + "."


def _without_a_word(kind: tuple[str, ...]) -> Callable[[str, random.Random], str]:
    def fault(text: str, rng: random.Random) -> str:
        found = [word for word in re.findall(r" \w+", text) if word.strip() in kind]
        return text.replace(rng.choice(found), "", 1) if found else text

    return fault


def _without_the_stop(text: str, rng: random.Random) -> str:
    return text.rstrip(".")


def _off_topic(text: str, rng: random.Random) -> str:
    found = [word for word in re.findall(r" \w+", text) if word.strip() in NOUNS]
    return text.replace(rng.choice(found), f" {rng.choice(NOUNS)}", 1) if found else text


def _overlong(text: str, rng: random.Random) -> str:
    return f"{text.rstrip('.')}, {rng.choice(ARTICLES)} {rng.choice(NOUNS)} {rng.choice(VERBS)}."


_FAULTS = [_without_a_word(ADJECTIVES), _without_a_word(VERBS), _without_the_stop, _off_topic, _overlong]
WRITING = Writing()
