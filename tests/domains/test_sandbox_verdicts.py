"""`auto` gives CPython's verdicts: the same values, and the same verdicts as a plain process on mutants."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from harness.domains.sandbox import Job, SandboxConfig, open_sandbox
from harness.errors import UsageError

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "code"

PROGRAMS = [
    ("import re", r"re.sub('(a)(b)?', r'\1-\g<1>', 'ab a')"),
    ("import re", r"(bool(re.match(r'a$', 'a\n')), re.findall(r'(?i)\bÄ\w+', 'ärger Äpfel'))"),
    ("import re", r"re.split(r'(?<=,)\s*', 'a, b,c')"),
    ("", "[round(x, 2) for x in (2.675, 0.125, 1.005)] + [round(x) for x in (0.5, 1.5, 2.5, -0.5)]"),
    ("", "(list({3, 1, 2}), list({10, 3, 33, 8, 1}))"),
    ("", "(-7 // 2, -7 % 3, divmod(-7.5, 2), 0.1 + 0.2, 1e16 + 1, 10**40)"),
    ("", "('ß'.upper(), 'İ'.lower(), 'ŉ'.title(), '²'.isdigit(), '½'.isnumeric(), 'straße'.casefold())"),
    ("", "('%.2f' % 2.675, f'{1234567.891:,.1f}', format(1e20), str(1e16), '{:>8}'.format('x'), repr('\\x7f'))"),
    ("", "(sorted(['b', 'B', 'a'], key=str.lower), max([(1, 'b'), (1, 'a')]), sum([0.1] * 10))"),
    ("", "(int('٣'), int(' 12_000 '), float('1e3'), 'a,b,,'.split(','), ' a b '.split(), 'abc'[5:], 'abc'[::-2])"),
    ("import math", "(math.gcd(12, -18), math.isclose(0.1 + 0.2, 0.3), math.fmod(-7, 3), math.isqrt(10**30))"),
    ("import heapq, bisect, collections", "(heapq.nsmallest(2, [3, 1, 2]), collections.Counter('abca').most_common())"),
    ("class Base:\n    x = 1\nclass Next(Base):\n    pass", "Next().x"),
    ("def evens():\n    yield from range(0, 9, 2)", "list(evens())"),
    ("import random\nrandom.seed(3)", "[random.randint(0, 99) for _ in range(5)]"),
    ("from datetime import date", "str(date(2024, 3, 1) - date(2024, 2, 1))"),
]


@pytest.fixture(scope="module")
def sandbox():
    try:
        opened = open_sandbox(SandboxConfig(tier="auto", workers=1))
    except UsageError as error:
        pytest.skip(error.message)
    with opened:
        yield opened


@pytest.mark.parametrize(("code", "expression"), PROGRAMS)
def test_auto_gives_the_values_of_cpython(sandbox, code, expression):
    namespace = {}
    exec(code, namespace)
    [outcome] = sandbox.run([Job(code, (expression,))])
    assert outcome.values == (eval(expression, namespace),)


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("verdicts")


def test_references_and_mutants_have_the_verdicts_of_a_bare_process(sandbox, benchmark):
    """The differential run of `benchmarks/verdicts.py` on the fixtures, with five mutants of each program."""
    rows = {
        name: [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]
        for name in ("mbpp_train", "mbpp_test", "humaneval_test")
    }
    references = [benchmark.mbpp_case(row) for name in ("mbpp_train", "mbpp_test") for row in rows[name]]
    references += [benchmark.humaneval_case(row) for row in rows["humaneval_test"]]
    mutants = [benchmark.mutant(case, seed) for case in references for seed in range(5)]
    cases = references + [case for case in mutants if case is not None]
    by_tier = benchmark.by_tier(cases, "auto", 10)
    assert by_tier == benchmark.by_python(cases, 10)
    assert by_tier[: len(references)] == ["passed"] * len(references)
    assert by_tier.count("failed") > len(references)
