"""Readers of completions take linear time. In quadratic time, each of these texts would take an hour."""

import pytest

from harness.domains.judge.answers import parse_score
from harness.domains.judge.verdicts import parse_verdict
from harness_domains.jsonl.rules import rule_named
from harness_domains.math.answers import last_boxed
from harness_domains.qa.answers import answer_in_words, chosen_letter
from harness_domains.reasoning_gym.answers import answer_in

READERS = {
    "choice-letter": lambda text: rule_named("choice-letter").judge(text, {"answer": "A"}),
    "contains": lambda text: rule_named("contains").judge(text, {"answer": "A"}),
    "letter": lambda text: chosen_letter(text, 10),
    "words": answer_in_words,
    "box": last_boxed,
    "tags": lambda text: answer_in(text, "tags"),
    "boxed": lambda text: answer_in(text, "boxed"),
    "score": parse_score,
    "verdict": parse_verdict,
}
LENGTH = 400_000


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("start", "repeated", "end"),
    [
        ("answer is", " ", "#"),
        ("answer is", "*", "#"),
        ("answer:", "\n", "#"),
        ("answer", " ", "#"),
        ("", "answer: ", "#"),
        ("\\boxed{", " ", "#"),
        ("", "\\boxed{", ""),
        ("", "<answer>", ""),
        ("better: A,", " ", "#"),
        ("better", "* ", "#"),
        ("score", " ", "#"),
        ("", "A ", "a"),
    ],
)
def test_reading_takes_linear_time(reader, start, repeated, end):
    READERS[reader](start + repeated * (LENGTH // len(repeated)) + end)
