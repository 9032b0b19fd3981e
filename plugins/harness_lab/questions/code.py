"""Code: find the function that three examples are computed with. The answer is evaluated on other inputs."""

from __future__ import annotations

import random
import re

from harness_lab.questions.base import Question, QuestionKind
from harness_lab.questions.expression import ExpressionError, evaluate

EXAMPLE_INPUTS = (1, 2, 3, 6)
HELD_OUT_INPUTS = (0, 4, 5, 7)
FACTORS = (1, 2, 3, 4, 5)
OFFSETS = tuple(range(-5, 10))
_EXAMPLE = re.compile(r"f\((\d+)\)=(-?\d+)")


class Code(QuestionKind):
    """`Q: f(1)=3 f(2)=5 f(3)=7 f(x)? A:` → `2*x+1`; families a*x+b and x*x+b, examples in any order."""

    name = "code"
    completion_tokens = 7

    def question(self, rng: random.Random) -> Question:
        answer = _expression(rng)
        inputs = rng.sample(EXAMPLE_INPUTS, 3)
        examples = " ".join(f"f({x})={evaluate(answer, x)}" for x in inputs)
        return Question(prompt=f"Q: {examples} f(x)? A:", answer=answer)

    def wrong_answer(self, question: Question, rng: random.Random) -> str:
        while (answer := _expression(rng)) == question.answer or self.score(question.prompt, answer):
            pass
        return answer

    def score(self, prompt: str, completion: str) -> float:
        """Returns 1 if the completion agrees with the prompt's function on the held-out inputs, else 0.

        Three examples determine the function within the two families, so every expression equal to it is right.
        """
        return same_function(completion, _function(prompt))


def same_function(candidate: str, reference: str) -> float:
    """Returns 1 if `candidate` can be evaluated and agrees with `reference` on the held-out inputs, else 0."""
    try:
        return float(all(evaluate(candidate, x) == evaluate(reference, x) for x in HELD_OUT_INPUTS))
    except ExpressionError:
        return 0.0


def _function(prompt: str) -> str:
    examples = [(int(x), int(y)) for x, y in _EXAMPLE.findall(prompt)]
    for candidate in _ALL:
        if examples and all(evaluate(candidate, x) == y for x, y in examples):
            return candidate
    raise ValueError(f"no function of the lab fits the examples of {prompt!r}")


def _write(head: str, offset: int) -> str:
    return f"{head}{offset:+d}"


def _expression(rng: random.Random) -> str:
    head = "x*x" if rng.random() < 1 / 3 else f"{rng.choice(FACTORS)}*x"
    return _write(head, rng.choice(OFFSETS))


_ALL = [_write(head, offset) for head in ("x*x", *(f"{a}*x" for a in FACTORS)) for offset in OFFSETS]
CODE = Code()
