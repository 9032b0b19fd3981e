"""Programs of completions, pass@k, outputs."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness_code.extraction import program_of
from harness_code.pass_at_k import pass_at_k
from harness_code.standard_streams import same_output


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("```python\na\n```", "a\n"),
        ("```python\na\n```\nor\n```python\nb\n```\nthanks", "b\n"),
        ("```\na\n```", "a\n"),
        ("```py\r\na\r\n```", "a\r\n"),
        ("<think>```python\na\n```</think>\n```python\nb\n```", "b\n"),
        ("thoughts ```python\na\n``` </think> done", None),
        ("<think>\n```python\na\n```", None),
        ("```cpp\nint a;\n```", None),
        ("```cpp\nint a;\n```\nand\n```python\nb\n```\n", "b\n"),
        ("```python\nb\n```\nwhich prints\n```text\n3\n```\n", "b\n"),
        ("```python\na\n```python\nb\n```", "b\n"),
        ("```python\n \n```", None),
        ("```python\nnever closed", None),
        ("return 1", None),
        ("", None),
    ],
)
def test_the_last_block_after_the_thinking_is_the_program(completion, program):
    assert program_of(completion, "block") == program


@pytest.mark.parametrize(
    ("completion", "program"),
    [("    return 1", "    return 1"), ("x</think>    return 1", "    return 1"), (" \n", None), ("<think>a", None)],
)
def test_plain_completions_are_programs_as_they_are(completion, program):
    assert program_of(completion, "plain") == program


@pytest.mark.parametrize(
    ("samples", "correct", "k", "expected"),
    [(1, 1, 1, 1.0), (1, 0, 1, 0.0), (5, 2, 1, 0.4), (5, 2, 2, 0.7), (10, 3, 5, 1 - 21 / 252), (4, 2, 3, 1.0)],
)
def test_pass_at_k_by_hand(samples, correct, k, expected):
    assert pass_at_k(samples, correct, k) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_correct_sample(samples, data):
    correct, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    hits = sum(min(subset) < correct for subset in combinations(range(samples), k))
    assert pass_at_k(samples, correct, k) == pytest.approx(hits / comb(samples, k))


@pytest.mark.parametrize(("samples", "correct", "k"), [(1, 0, 2), (3, 1, 0), (3, 4, 1), (3, -1, 1)])
def test_pass_at_k_of_impossible_numbers_is_refused(samples, correct, k):
    with pytest.raises(ValueError, match=r"samples|correct"):
        pass_at_k(samples, correct, k)


def test_outputs_agree_but_for_blanks_at_the_edges():
    assert same_output("1 2 \n3\n\n", "1 2\n3")
    assert not same_output("1\n2", "1 2")
    assert not same_output("1\n\n2", "1\n2")
