"""Extraction of answers from completions, and the JSON of rows."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_domains.reasoning_gym.answers import answer_in, in_form
from harness_domains.reasoning_gym.plain_json import dumps, loads


@pytest.mark.parametrize(
    ("form", "completion", "answer"),
    [
        ("tags", "so <answer> 4 </answer>", "4"),
        ("tags", "<answer>3</answer> no, <answer>1 2\n3 4</answer>.", "1 2\n3 4"),
        ("tags", "4", None),
        ("tags", "<answer>4", None),
        ("tags", "<answer> </answer>", None),
        ("tags", "<think><answer>3</answer></think>4", None),
        ("tags", "<think><answer>3</answer>", None),
        ("tags", "<think>3</think><answer>4</answer>", "4"),
        ("boxed", r"\boxed{3} or \boxed{\{4\}}", r"\{4\}"),
        ("boxed", r"\boxed{3", None),
        ("boxed", "3", None),
        ("last-line", "it is\n 4 \n\n", "4"),
        ("last-line", "<think>3\n</think>\n", None),
        ("last-line", "", None),
    ],
)
def test_where_an_answer_is(form, completion, answer):
    assert answer_in(completion, form) == answer


def test_a_model_that_thinks_answers_after_the_mark_only():
    assert answer_in("<answer>4</answer>", "tags", thinks=True) is None
    assert answer_in("hm</think><answer>4</answer>", "tags", thinks=True) == "4"


@given(st.text(st.characters(blacklist_characters="<>\\{}\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_what_is_put_into_a_form_is_found_in_it(answer):
    for form in ("tags", "boxed", "last-line"):
        assert answer_in(in_form(answer, form), form) == (answer.strip() or None)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.fractions(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.sampled_from(["(tuple)", "(dict)", "(set)"]), inner)
        | st.dictionaries(st.integers() | st.tuples(st.integers(), st.text()), inner)
        | st.sets(st.integers() | st.tuples(st.integers()))
    ),
    max_leaves=20,
)


@given(plain)
def test_json_gives_back_the_same_value_of_the_same_type(value):
    again = loads(dumps(value))
    assert again == value
    assert repr(type(again)) == repr(type(value))


def test_a_tuple_in_a_grid_is_a_tuple_again():
    value = {"grid": ((1, 2), (3, 4)), 5: {"half": Fraction(1, 2)}}
    assert isinstance(loads(dumps(value))["grid"][1], tuple)
    assert loads(dumps(value)) == value


def test_what_is_not_plain_is_refused():
    with pytest.raises(TypeError, match=r"builtins\.object is not plain data"):
        dumps({"thing": [object()]})
