"""The lab's questions: random draws, splits, answers, and the language of expressions."""

import random
from contextlib import suppress
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_lab.evaluation_items import ITEMS, SEED
from harness_lab.questions import CODE, KINDS, MATH, WRITING
from harness_lab.questions.base import split_of
from harness_lab.questions.expression import ExpressionError, evaluate
from harness_lab.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.mark.parametrize("name", KINDS)
def test_no_training_prompt_is_ever_a_test_prompt(name):
    kind = KINDS[name]
    trained = {question.prompt for seed in range(3) for question in islice(kind.draw("train", seed), 3000)}
    held_out = {question.prompt for question in kind.distinct("test", SEED, ITEMS)}
    assert len(held_out) == ITEMS
    assert not trained & held_out


@pytest.mark.parametrize("name", KINDS)
def test_a_smaller_limit_is_a_prefix_and_the_seed_decides(name):
    kind = KINDS[name]
    assert kind.distinct("test", SEED, 40) == kind.distinct("test", SEED, 80)[:40]
    assert kind.distinct("test", SEED, 40) != kind.distinct("test", SEED + 1, 40)


@pytest.mark.parametrize("name", KINDS)
@given(seed=st.integers(0, 10_000))
def test_right_answers_score_one_and_wrong_ones_less(name, seed):
    kind, rng = KINDS[name], random.Random(seed)
    question = kind.question(rng)
    assert kind.score(question.prompt, question.answer) == 1
    assert kind.score(question.prompt, kind.right_answer(question, rng)) == 1
    assert kind.score(question.prompt, kind.wrong_answer(question, rng)) < 1


@pytest.mark.parametrize("name", KINDS)
def test_text_survives_the_tokenizer_and_answers_fit_their_limit(name, tokenizer):
    kind, rng = KINDS[name], random.Random(0)
    for question in islice(kind.draw("train", 0), 200):
        text = question.prompt + kind.wrong_answer(question, rng)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert tokenizer.unk_token_id not in ids
        assert len(tokenizer(kind.right_answer(question, rng))["input_ids"]) + 1 <= kind.completion_tokens


@pytest.mark.parametrize("name", KINDS)
def test_about_a_third_is_held_out(name):
    rng = random.Random(1)
    held_out = sum(split_of(KINDS[name].question(rng).prompt) == "test" for _ in range(3000))
    assert 800 < held_out < 1200


@pytest.mark.parametrize(
    ("candidate", "score"),
    [("2*x+1", 1), ("x+x+1", 1), ("1+2*x", 1), ("x*2--1", 1), ("3*x-1", 0), ("2*x", 0), ("", 0), ("2*x+", 0), ("x", 0)],
)
def test_code_is_right_when_it_computes_the_same(candidate, score):
    assert CODE.score("Q: f(1)=3 f(2)=5 f(3)=7 f(x)? A:", candidate) == score


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "x.real", "x**99", "2**2", "[x]", "x if x else 1", "lambda: 1", "y", "1.5", "True", "'a'",
        "x/2", "x<1", "print(x)", "(" * 60, "x\nx", "\x00", "x" * 65, "-" * 40,
    ],
)  # fmt: skip
def test_the_expression_language_refuses_everything_else(text):
    with pytest.raises(ExpressionError):
        evaluate(text, 1)


@given(st.text(max_size=80))
def test_no_text_makes_the_expression_language_do_anything_but_answer_or_refuse(text):
    with suppress(ExpressionError):
        assert isinstance(evaluate(text, 3), int)


def test_math_wants_the_plain_number():
    assert MATH.score("Q: 34+57? A:", " 91 ") == 1
    assert MATH.score("Q: 34+57? A:", "091") == 0
    assert MATH.score("Q: 34+57? A:", "91.") == 0


@pytest.mark.parametrize(
    ("sentence", "points"),
    [
        (" the shy sun sat, a fun dog fell.", 6),
        (" the shy sun sat, a fun dog fell", 5),
        (" the sun sat, a fun dog fell.", 5),
        (" the shy sun sat, a fun cat fell.", 5),
        (" a a the shy sun sat, a fun dog fell.", 5),
        (" the shy shy sun sat, a dog fell.", 5),
        ("", 0),
    ],
)
def test_the_rubric_counts_its_points(sentence, points):
    assert WRITING.score("Q: sun dog? A:", sentence) == pytest.approx(points / 6)
