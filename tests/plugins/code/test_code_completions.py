"""Programs in completions, pass@k, and outputs."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness_domains.code.extraction import program_of
from harness_domains.code.pass_at_k import pass_at_k
from harness_domains.code.problem import Problem
from harness_domains.code.program import whole_program
from harness_domains.code.standard_streams import same_output

INNER = 'def f():\n    """F.\n\n    ```\n    f()\n    ```\n    """\n    a\n'
INNER_MARKED = INNER.replace("```\n    f()", "```python\n    f()")


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
        ("```python\na\n```\nIt prints:\n```\n3\n```", "a\n"),
        ("```\n3\n```\n```python\na\n```", "a\n"),
        ("```\na\n```\n```\nb\n```", "b\n"),
        ("1. So:\n\n   ```python\n   def f():\n       a\n   ```\n2. Done", "def f():\n    a\n"),
        ("- ```python\n  def f():\n      a\n  ```", "def f():\n    a\n"),
        ("1. ```python\ndef f():\n    a\n```", "def f():\n    a\n"),
        ("  ```python\n    return 1\n  ```", "  return 1\n"),
        ("```python\n    return 1\n```", "    return 1\n"),
        ("```python\na\n  ```\nbye", "a\n"),
        ("~~~python\na\n~~~", "a\n"),
        ("~~~python\na\n```\nb\n~~~", "a\n```\nb\n"),
        ("````python\na\n```\nb\n````", "a\n```\nb\n"),
        ("```python\na\n````", "a\n"),
        ("``` python\na\n```", "a\n"),
        ("```Python3 title=x.py {1,2}\na\n```", "a\n"),
        ("```{.python .numberLines}\na\n```", "a\n"),
        ("```python:main.py\na\n```", "a\n"),
        ("```pycon\n>>> a\n```", None),
        ("```python-repl\n>>> a\n```", None),
        ("```a`b\n```python\na\n```", "a\n"),
        ('```python\ndef f():\n    """F.\n\n    ```\n    f()\n    ```\n    """\n    a\n```\nEnd', INNER),
        ('```python\ndef f():\n    """F.\n\n    ```python\n    f()\n    ```\n    """\n    a\n```\n', INNER_MARKED),
        ('```python\n"""\n```\nx\n```\n"""\na\n```\n', '"""\n```\nx\n```\n"""\na\n'),
        ('```python\na = \'"""\'\n```\nbye', 'a = \'"""\'\n'),
        ("```python\nnever closed\n```python\nb\n```", "b\n"),
        ("```python\na\n```\n```python\nnever closed", "a\n"),
        ("ok</think>```python\na\n```\n</think>\n```python\nb\n```", "b\n"),
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


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("`~ \t\n-1.py{\"'ax"), max_size=120))
def test_every_line_of_a_program_is_in_its_completion(completion):
    program = program_of(completion, "block")
    assert program is None or all(line.strip() in completion for line in program.splitlines())


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "`",
        " ",
        "```py\n",
        "```\n",
        "1. ",
        '```python\n"""',
        "~~~\n```\n",
        "- ",
        "```{",
        "py.",
        " ```python\n",
        "\t",
        "'''\n",
    ],
)
@pytest.mark.parametrize(("start", "end"), [("", ""), ("```", "`"), ("```python\n", "```"), ("'''", "\n")])
def test_long_texts_are_read_in_linear_time(part, start, end):
    """At this length anything that is not linear takes minutes."""
    text = start + part * (100_000 // len(part)) + end
    program_of(text, "block")
    whole_program(text + "\nfrom __future__ import annotations", Problem(prefix="P"))


FUTURE = "from __future__ import annotations"
SPLIT_FUTURE = "from __future__ import (annotations,\n  division)"


@pytest.mark.parametrize(
    ("program", "whole"),
    [
        ("a", "P\na\nS"),
        (f"{FUTURE}\na", f"{FUTURE}\nP\n\na\nS"),
        (f"# b\n\n'''c\n'''\n{SPLIT_FUTURE}\na", f"{SPLIT_FUTURE}\nP\n# b\n\n'''c\n'''\n\na\nS"),
        (f"{FUTURE}  # b\r\n{FUTURE}\r\na", f"{FUTURE}  \n{FUTURE}\nP\n# b\n\na\nS"),
        (f"import re\n{FUTURE}", f"P\nimport re\n{FUTURE}\nS"),
        (f"a = '''\n{FUTURE}\n'''", f"P\na = '''\n{FUTURE}\n'''\nS"),
    ],
)
def test_imports_from_the_future_at_the_top_of_the_program_come_first(program, whole):
    assert whole_program(program, Problem(prefix="P", suffix="S")) == whole


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
