"""Data from a candidate to the trusted process: plain data of exact types; forged data are rejected."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domains.sandbox.plain_data import NAMED, NotPlainDataError, decode, encode
from harness.domains.sandbox.worker import outcome_from

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
)
KEYS = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NAMED, "x"]),
            inner,
            min_size=1,
            max_size=2,
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


@pytest.mark.parametrize(
    "value", [AlwaysEqual(), Liar(3), [Liar(3)], {Liar(3): 1}, range(3), len, bytearray(), (1).__add__]
)
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
        value = decode(data)
    except ValueError:
        return
    encode(value, 1000)


def report(**changed):
    return json.dumps({"kind": "ok", "values": [True], "detail": "", **changed})


FORGED = {
    "too few values": report(values=[]),
    "too many values": report(values=[True, True]),
    "a list in a set": report(values=[{"set": [{"list": []}]}]),
    "a kind of its own": report(kind="right"),
    "a failure of the sandbox": report(kind="sandbox-error"),
    "a time-out": report(kind="timeout"),
    "a kind of another type": report(kind=["ok"]),
    "values of another type": report(values="True"),
    "a detail of another type": report(detail=[1]),
    "a list": "[1]",
    "a number": "5",
    "no JSON": "no JSON",
    "nothing": "",
    "a float out of range": report(values=[{"float": "0x1p+99999"}]),
    "a float that is a number": report(values=[1.5]),
    "an int that is a list": report(values=[{"int": []}]),
    "an int in words": report(values=[{"int": "ten"}]),
    "an int of 5000 digits": '{"kind": "ok", "values": [' + "7" * 5000 + '], "detail": ""}',
    "a complex number of three parts": report(values=[{"complex": "0x1p+0 0x1p+0 0x1p+0"}]),
    "bytes of odd length": report(values=[{"bytes": "abc"}]),
    "pairs of three": report(values=[{"dict": [[1, 2, 3]]}]),
    "two tags": report(values=[{"int": "0x1", "float": "0x1p+0"}]),
    "duplicate keys": '{"kind": "ok", "values": [true], "detail": "", "values": []}',
    "lists 65 deep": '{"kind": "ok", "values": [' + '{"list": [' * 70 + "]}" * 70 + '], "detail": ""}',
    "lists 5,000 deep": '{"kind": "ok", "values": ' + "[" * 5000 + "]" * 5000 + ', "detail": ""}',
    "lists 50,000 deep, not closed": "[" * 50000,
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_a_forged_report_is_the_candidates_runtime_error(text):
    outcome = outcome_from({"report": text}, 1)
    assert (outcome.kind, outcome.values) == ("runtime-error", ())
    assert len(outcome.detail) < 1500


@given(st.text() | JSON.map(json.dumps) | JSON.map(lambda data: report(values=[data])))
def test_any_report_gives_an_outcome(text):
    assert outcome_from({"report": text}, 1).kind in ("ok", "runtime-error")


def test_the_detail_of_a_report_can_be_printed():
    outcome = outcome_from(
        {"report": report(kind="runtime-error", values=[], detail="\ud800\x1b[31m\r" + "x" * 10**5)}, 1
    )
    assert outcome.kind == "runtime-error"
    assert outcome.detail.isprintable() and outcome.detail.encode() and len(outcome.detail) <= 1000
