"""Math: sums and differences of two-digit numbers, and the small times tables."""

from __future__ import annotations

import random
import re

from harness_lab.questions.base import Question, QuestionKind

_TASK = re.compile(r"(\d+)([-+*])(\d+)\?")


class Math(QuestionKind):
    """`Q: 34+57? A:` → `91`; differences are never negative."""

    name = "math"
    completion_tokens = 5

    def question(self, rng: random.Random) -> Question:
        operator = rng.choice("+-*")
        if operator == "*":
            left, right = rng.randint(2, 9), rng.randint(2, 12)
        else:
            left, right = rng.randint(10, 99), rng.randint(10, 99)
            if operator == "-":
                left, right = max(left, right), min(left, right)
        prompt = f"Q: {left}{operator}{right}? A:"
        return Question(prompt=prompt, answer=str(_result(prompt)))

    def wrong_answer(self, question: Question, rng: random.Random) -> str:
        right = int(question.answer)
        wrong = {right + slip for slip in (-10, -2, -1, 1, 2, 10)} | {int(question.answer[::-1])}
        return str(rng.choice(sorted(value for value in wrong if value >= 0 and value != right)))

    def score(self, prompt: str, completion: str) -> float:
        """Returns 1 if the completion is the number in plain digits, else 0."""
        return float(completion.strip() == str(_result(prompt)))


def _result(prompt: str) -> int:
    task = _TASK.search(prompt)
    if task is None:
        raise ValueError(f"no sum in {prompt!r}")
    left, operator, right = int(task[1]), task[2], int(task[3])
    return {"+": left + right, "-": left - right, "*": left * right}[operator]


MATH = Math()
