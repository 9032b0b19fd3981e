"""Content keys: equal for equal content, whatever its order, and different otherwise."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness._util.content_key import canonical_json, content_key

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def reversed_mappings(value):
    if isinstance(value, dict):
        return {key: reversed_mappings(item) for key, item in reversed(value.items())}
    return [reversed_mappings(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_canonical_json_is_json_of_the_same_value_in_ascii(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert text.isascii()


@given(values)
def test_a_key_does_not_depend_on_the_order_of_mappings(value):
    assert content_key(part=value) == content_key(part=reversed_mappings(value))


@given(values, values)
def test_different_content_has_different_keys(one, other):
    assume(canonical_json(one) != canonical_json(other))
    assert content_key(part=one) != content_key(part=other)
    assert content_key(a=one, b=other) != content_key(a=other, b=one)


def test_a_key_is_stable_across_releases():
    # By sha256sum over the text {"kind":"train","seed":0}; keys in people's stores must go on meaning the same.
    assert content_key(kind="train", seed=0) == "d899e4b5dae49a9a159bea097600d75701563e17d4252b7830562722d186a1fe"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_has_not_is_refused(number):
    with pytest.raises(ValueError, match="JSON"):
        content_key(part=[number])
