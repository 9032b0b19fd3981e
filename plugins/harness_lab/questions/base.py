"""The base class of lab questions, and the splits train and test, which share no prompt."""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]

HELD_OUT_ONE_IN = 3
_DRAWS_WITHOUT_NEWS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A prompt in the lab's one format `Q: … A:`, and a reference answer as the tokenizer writes it."""

    prompt: str
    answer: str


class QuestionKind(ABC):
    """One domain of the lab, as text: no tensors, no lm-eval, no TRL."""

    name: str
    completion_tokens: int

    @abstractmethod
    def question(self, rng: random.Random) -> Question:
        """Returns a question drawn from the whole domain, train and test together."""

    @abstractmethod
    def wrong_answer(self, question: Question, rng: random.Random) -> str:
        """Returns a plausible answer that does not get the full score."""

    @abstractmethod
    def score(self, prompt: str, completion: str) -> float:
        """Returns the score of `completion` for `prompt`, from 0 to 1."""

    def right_answer(self, question: Question, rng: random.Random) -> str:
        """Returns an answer with the full score."""
        return question.answer

    def draw(self, split: Split, seed: int) -> Iterator[Question]:
        """Returns an endless stream of `split`'s questions, with repetitions. It depends only on the seed."""
        rng = random.Random(f"lab/{self.name}/{split}/{seed}")
        while True:
            question = self.question(rng)
            if split_of(question.prompt) == split:
                yield question

    def distinct(self, split: Split, seed: int, count: int) -> list[Question]:
        """Returns `count` different questions of `split`; a smaller count is a prefix of a larger one.

        Raises ValueError if the domain has fewer.
        """
        found: dict[str, Question] = {}
        idle = 0
        for question in self.draw(split, seed):
            if len(found) == count:
                break
            idle = idle + 1 if question.prompt in found else 0
            if idle > _DRAWS_WITHOUT_NEWS:
                raise ValueError(
                    f"lab domain {self.name!r} has {len(found)} {split} prompts, not the {count} asked for"
                )
            found.setdefault(question.prompt, question)
        return list(found.values())


def split_of(prompt: str) -> Split:
    """Returns the split of `prompt`, by its hash: a third of all prompts are test prompts."""
    digest = hashlib.sha256(prompt.encode()).digest()
    return "test" if int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0 else "train"
