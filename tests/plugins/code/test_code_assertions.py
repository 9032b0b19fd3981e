"""Test code becomes calls of the candidate and checks of data."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness_domains.code.assertions import read_assertions


def forms(source, entry_point=None):
    cases = read_assertions(source, entry_point)
    return None if cases is None else [(case.calls, ast.unparse(case.check)) for case in cases]


@pytest.mark.parametrize(
    ("source", "calls", "check"),
    [
        ("assert f(1, [2]) == {'a': 3}", ["f(1, [2])"], "_value_0 == {'a': 3}"),
        ("assert f(1)", ["f(1)"], "_value_0"),
        ("assert not f(1)", ["f(1)"], "not _value_0"),
        ("assert f(1) is None", ["f(1)"], "_value_0 is None"),
        ("assert (3 == f(1)), 'message'", ["f(1)"], "3 == _value_0"),
        ("assert sorted(f(1)) == sorted((2, 1))", ["f(1)"], "sorted(_value_0) == sorted((2, 1))"),
        ("assert math.isclose(f(1), 2, abs_tol=0.1)", ["f(1)"], "math.isclose(_value_0, 2, abs_tol=0.1)"),
        ("assert abs(f(1) - 2) < 1e-6", ["f(1)"], "abs(_value_0 - 2) < 1e-06"),
        ("assert f(1)[0] == 2", ["f(1)"], "_value_0[0] == 2"),
        ("assert f(1).startswith('a')", ["f(1)"], "_value_0.startswith('a')"),
        ("assert f(1).__eq__(2)", ["f(1)"], "_value_0.__eq__(2)"),
        ("assert f(g(1)) == h(2)", ["f(g(1))", "h(2)"], "_value_0 == _value_1"),
        ("assert Thing(1).size() == 2", ["Thing(1).size()"], "_value_0 == 2"),
        ("assert Thing(1).size().bit_length() == 2", ["Thing(1).size()"], "_value_0.bit_length() == 2"),
        ("assert Text(1).startswith('a')", ["Text(1)"], "_value_0.startswith('a')"),
        ("assert f(lambda x: x + 1) == 2", ["f(lambda x: x + 1)"], "_value_0 == 2"),
        ("assert all(a < 3 for a in f(1))", ["f(1)"], "all((a < 3 for a in _value_0))"),
        ("import re\nassert re.match('a', f(1))", ["f(1)"], "re.match('a', _value_0)"),
        ("if __name__ == '__main__':\n    assert f(1) == 2", ["f(1)"], "_value_0 == 2"),
        ("f\n'text'\nMETA = {}\nassert f(1) == 2", ["f(1)"], "_value_0 == 2"),
        ("assert sum(3, 4) == 12", ["sum(3, 4)"], "_value_0 == 12"),
        ("assert abs(sum(3, 4) - 12) < 1", ["sum(3, 4)"], "abs(_value_0 - 12) < 1"),
        ("from solution import f\nassert f(1) == 2", ["f(1)"], "_value_0 == 2"),
    ],
)
def test_simple_tests_are_read(source, calls, check):
    assert forms(source) == [(tuple(calls), check)]


@pytest.mark.parametrize(
    "source",
    [
        "for n in range(3):\n    assert f(n) == n",
        "assert all(f(n) == n for n in range(3))",
        "assert list(map(f, [1])) == [2]",
        "import random\nassert f(random.random()) == 1",
        "import math\nassert f(math.pi) == 1",
        "import numpy\nassert f(1) == 1",
        "thing = Stack()\nthing.push(1)\nassert thing.pop() == 1",
        "given = [1]\nassert f(given) == 2",
        "xs = [1]\nxs[0] = 2\nassert f(xs) == 3",
        "def helper(x):\n    return x\nassert f(1) == helper(1)",
        "assert is_same_tree(f(1), tree_node([1]))",
        "assert (y := f(1)) == 2",
        "assert 1 == 1",
        "assert f(1).val == 2",
        "assert f(1)(2) == 3 and g",
        "try:\n    assert f(1)\nexcept ValueError:\n    pass",
    ],
)
def test_other_tests_are_left_to_be_run(source):
    assert forms(source) is None


def test_the_check_of_humaneval_is_called_with_the_entry_point_and_its_constant_assertions_are_no_tests():
    source = "META = {}\ndef check(candidate):\n    assert True, 'x'\n    assert candidate(2) == 4\n"
    assert forms(source, "square") == [(("square(2)",), "_value_0 == 4")]
    assert forms(source + "check(Solution().square)") == [(("Solution().square(2)",), "_value_0 == 4")]
    assert forms(source) is None


def test_functions_named_test_are_read_without_a_call():
    source = "from solution import f\ndef test_one():\n    assert f(1) == 2\n"
    assert forms(source) == [(("f(1)",), "_value_0 == 2")]


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(DATA, DATA)
def test_any_literals_survive_the_reading(argument, expected):
    [case] = read_assertions(f"assert f({argument!r}) == {expected!r}")
    assert ast.literal_eval(ast.parse(case.calls[0], mode="eval").body.args[0]) == argument
    assert ast.literal_eval(case.check.comparators[0]) == expected
