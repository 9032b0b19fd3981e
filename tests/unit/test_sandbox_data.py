"""What crosses from a candidate to the trusted side: plain data by exact type, and nothing that was forged."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.plain_data import NotPlainDataError, decode, encode
from harness.sandbox.worker import outcome_from

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["int", "float", "list", "tuple", "set", "dict", "x"]), inner, min_size=1, max_size=2
        )
    ),
    max_leaves=8,
)


def types_of(value):
    if isinstance(value, dict):
        return [(types_of(key), types_of(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [types_of(item) for item in value]
    return type(value)


@given(VALUES)
def test_plain_data_comes_back_equal_and_of_the_same_types(value):
    back = decode(json.loads(json.dumps(encode(value, 1000))))
    assert back == value
    assert types_of(back) == types_of(value)


def test_numbers_that_json_cannot_say_come_back():
    back = decode(json.loads(json.dumps(encode([math.inf, math.nan, -0.0, 10**5000], 10))))
    assert back[0] == math.inf and math.isnan(back[1]) and math.copysign(1, back[2]) == -1 and back[3] == 10**5000


class AlwaysEqual:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class Liar(int):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


@pytest.mark.parametrize("value", [AlwaysEqual(), Liar(3), [Liar(3)], {Liar(3): 1}, range(3), len, b"x", frozenset()])
def test_anything_else_is_refused(value):
    with pytest.raises(NotPlainDataError):
        encode(value, 100)


def test_what_is_too_large_is_refused_before_it_is_built():
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(NotPlainDataError, match="parts"):
        encode(shared, 1000)
    cycle: list = []
    cycle.append(cycle)
    with pytest.raises(NotPlainDataError, match="deep"):
        encode(cycle, 1000)


@given(JSON)
def test_forged_data_is_a_value_or_a_value_error(data):
    try:
        decode(data)
    except ValueError:
        return
    assert decode(data) is not data or data is None or isinstance(data, bool | str)


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "ok", "values": [], "detail": ""},
        {"kind": "ok", "values": [True, True], "detail": ""},
        {"kind": "ok", "values": [{"set": [{"list": []}]}], "detail": ""},
        {"kind": "right", "values": [True], "detail": ""},
        {"kind": "ok", "values": "True", "detail": ""},
    ],
)
def test_an_answer_that_does_not_fit_the_question_is_the_candidates_error(answer):
    assert outcome_from(answer, 1).kind == "runtime-error"
