"""Comparisons by a judge: verdicts in answers, both orders, and the score of an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_server import Say, judge_server

from harness.domains.judge import JudgeClient, JudgeConfig
from harness.domains.judge.answers import fill
from harness.domains.judge.verdicts import Comparison, parse_verdict


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("A is stock, B is not.\nBetter: B", "second"),
        ("Better: A", "first"),
        ("better = a tie", None),
        ("Better: tie", "tie"),
        ("**Better:** A", "first"),
        ("**Better: B**", "second"),
        ("Better: *B*.", "second"),
        ("Better: [A]", "first"),
        ("Verdict: B", "second"),
        ("Winner: piece A", "first"),
        ("Better: the second", "second"),
        ("Better: Neither", "tie"),
        ("Better: Both", "tie"),
        ("Better: draw", "tie"),
        ("Better: B, with a stronger ending", "second"),
        ("Better: A (stronger than B)", "first"),
        ("Better: A, because B drags", "first"),
        ("Better: A at first; on a second look\nBetter: B", "second"),
        ("<think>Better: A</think>Better: B", "second"),
        ("My verdict is [[B]]", "second"),
        ("[[A]], no: [[C]]", "tie"),
        ("[[tie]]", "tie"),
        ("A", "first"),
        (" **B** ", "second"),
        ("Tie.", "tie"),
        ("Better: A, B or tie", None),
        ("Better: A or B", None),
        ("Better: A/B", None),
        ("Better: A and B", None),
        ("Better: Apple", None),
        ("Better: 7", None),
        ("Better:", None),
        ("A is better than B", None),
        ("A good piece, both of them", None),
        ("<think>Better: A", None),
        ("", None),
    ],
)
def test_a_verdict_is_read_or_there_is_none(answer, verdict):
    assert parse_verdict(answer) == verdict


@given(st.text())
def test_any_answer_is_a_verdict_or_none(answer):
    assert parse_verdict(answer) in {"first", "second", "tie", None}


@given(st.text(alphabet="{}prompfisecond AB"), st.text(alphabet="{}prompfisecond"), st.text(alphabet="{}prompfisecond"))
def test_each_text_gets_its_place_and_no_other(prompt, first, second):
    expected = "\x00".join((prompt, first, second))
    assert fill("{prompt}\x00{first}\x00{second}", prompt=prompt, first=first, second=second) == expected


@pytest.mark.parametrize(
    ("text_first", "reference_first", "value", "flipped"),
    [
        ("first", "second", 1.0, False),
        ("second", "first", 0.0, False),
        ("tie", "tie", 0.5, False),
        ("first", "first", 0.5, True),
        ("second", "second", 0.5, True),
        ("first", "tie", 0.5, True),
        ("tie", "first", 0.5, True),
    ],
)
def test_a_text_wins_where_it_does_in_both_orders(text_first, reference_first, value, flipped):
    compared = Comparison(text_first=text_first, reference_first=reference_first)
    assert (compared.value, compared.flipped) == (value, flipped)


def test_thinking_is_taken_off_both_texts_and_equal_pairs_are_asked_once():
    rubric = "{prompt}|{first}|{second}"
    with judge_server(lambda asked, tries: Say("Better: A")) as server:
        client = JudgeClient(JudgeConfig(model="judge", endpoint=server.endpoint, cache=None))
        texts, references = ["<think>h</think>one"] * 2, ["<think>x</think>two"] * 2
        told = client.comparisons(["p"] * 2, texts, references, rubric=rubric)
        assert sorted(server.tries) == ["p|one|two", "p|two|one"]
        assert server.requests == 2
    assert told == [Comparison(text_first="first", reference_first="first")] * 2
