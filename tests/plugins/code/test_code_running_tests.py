"""Tests that are executed: loops, helpers, classes, exceptions. Right programs pass; cheating classes do not."""

import pytest
from code_world import SANDBOX, scored

from harness.domains.sandbox import Limits
from harness_domains.code.problem import Problem

STACK = """
class Stack:
    def __init__(self, items=()): self.items = list(items)
    def push(self, item): self.items.append(item); return self
    def pop(self):
        if not self.items: raise IndexError("empty")
        return self.items.pop()
    def is_empty(self): return not self.items
    def __len__(self): return len(self.items)
    def __getitem__(self, index): return self.items[index]
    def __contains__(self, item): return item in self.items
    def __str__(self): return str(self.items)
    @property
    def top(self): return self.items[-1]
"""
PAIR = "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\n"

CASES = {
    "loop": ("for n in range(5):\n    assert f(n) == n * n", "def f(n): return n * n", "def f(n): return n"),
    "loop with random arguments": (
        "import random\nfor _ in range(20):\n    n = random.randint(0, 99)\n    assert f(n) == n + 1",
        "import random\ndef f(n): random.seed(3); return n + 1",
        "def f(n): return n + (n < 90)",
    ),
    "comprehension": ("assert all(f(n) == n for n in range(9))", "def f(n): return n", "def f(n): return min(n, 7)"),
    "map": ("assert list(map(f, [1, 2])) == [2, 4]", "def f(n): return 2 * n", "def f(n): return 2"),
    "helper": (
        "def near(a, b): return abs(a - b) < 1e-6\nassert near(f(1), 0.5)",
        "def f(n): return n / 2",
        "def f(n): return 10 ** 5000",
    ),
    "helper with assertions": (
        "def same(given, wanted):\n    assert f(given) == wanted, 'no'\nsame(1, 2)\nsame(2, 3)",
        "def f(n): return n + 1",
        "def f(n): return 2",
    ),
    "check with a local function": (
        Problem(
            source="def check(candidate):\n    def same(a, b): return a == b\n    assert same(candidate(2), 4)\n",
            entry_point="f",
        ),
        "def f(n): return n * n",
        "def f(n): return n",
    ),
    "variables": (
        "given = [3, 1]\nwanted = [1, 3]\nresult = f(given)\nassert result == wanted\nassert len(result) == 2",
        "def f(a): return sorted(a)",
        "def f(a): return a",
    ),
    "changed in place": ("a = [3, 1]\nf(a)\nassert a == [1, 3]", "def f(a): a.sort()", "def f(a): sorted(a)"),
    "a dict changed in place": (
        "d = {'a': 1}\nf(d, 'a')\nassert 'a' not in d",
        "def f(d, k): del d[k]",
        "def f(d, k): return d",
    ),
    "not changed": ("a = [3, 1]\nf(a)\nassert a == [3, 1]", "def f(a): return sorted(a)", "def f(a): a.sort()"),
    "expected exception": (
        "try:\n    f(-1)\n    assert False, 'no error'\nexcept ValueError:\n    pass\nassert f(1) == 1",
        "def f(n):\n    if n < 0: raise ValueError('negative')\n    return n",
        "def f(n): return n",
    ),
    "an exception of another class": (
        "try:\n    f(-1)\n    assert False\nexcept ValueError as error:\n    assert 'neg' in str(error)",
        "class Bad(ValueError): pass\ndef f(n): raise Bad('negative')",
        "def f(n): raise KeyError('negative')",
    ),
    "raises": (
        "import pytest\nfrom solution import f\ndef test_f():\n    with pytest.raises(ValueError, match='neg'):\n"
        "        f(-1)\ndef test_g():\n    assert f(1) == pytest.approx(0.1 + 0.2)",
        "def f(n):\n    if n < 0: raise ValueError('negative')\n    return 0.3",
        "def f(n):\n    return 0.3",
    ),
    "parametrized": (
        "import pytest\n@pytest.mark.parametrize('n, m', [(1, 2), (2, 4)])\n@pytest.mark.parametrize('k', [1, 3])\n"
        "def test_f(n, m, k):\n    assert f(n, k) == m * k",
        "def f(n, k): return 2 * n * k",
        "def f(n, k): return 2",
    ),
    "test class": (
        "class TestF:\n    def setup_method(self): self.n = 2\n    def test_f(self):\n        assert f(self.n) == 4",
        "def f(n): return 2 * n",
        "def f(n): return n",
    ),
    "unittest": (
        "import unittest\nfrom solution import f\nclass F(unittest.TestCase):\n    def test_f(self):\n"
        "        self.assertEqual(f(1), 2)\n        self.assertAlmostEqual(f(0.5), 1)\n    def test_g(self):\n"
        "        with self.assertRaises(TypeError):\n            f(None)\n"
        "if __name__ == '__main__':\n    unittest.main()",
        "def f(n): return 2 * n",
        "def f(n): return 2 * (n or 1)",
    ),
    "what there is": (
        "assert hasattr(Stack, 'push')\nassert not hasattr(Stack(), 'peek')\nassert callable(Stack().pop)\n"
        "assert isinstance(Stack([1]), Stack)\nassert not isinstance(1, Stack)",
        STACK,
        STACK.replace("pop", "peek"),
    ),
    "class with state": (
        "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2\nassert not s.is_empty()\nassert s.pop() == 1\n"
        "assert s.is_empty()",
        STACK,
        STACK.replace("pop()\n", "pop(0)\n"),
    ),
    "class with operators": (
        "s = Stack([1, 2])\nassert len(s) == 2\nassert s[0] == 1\nassert 2 in s\nassert 3 not in s\n"
        "assert str(s) == '[1, 2]'\nassert s.top == 2\nassert s.push(5).push(6).top == 6\nassert s",
        STACK,
        STACK.replace("len(self.items)", "3"),
    ),
    "attributes taken before a change": (
        "s = Stack([1])\nbefore = len(s)\nold = s.top\ns.push(old + 1)\nassert len(s) == before + 1\n"
        "assert s.top == old + 1",
        STACK,
        STACK.replace("self.items.append(item)", "self.items.append(7)"),
    ),
    "a loop until empty": (
        "s = Stack(range(90))\nn = 0\nwhile not s.is_empty():\n    s.pop()\n    n += 1\nassert n == 90",
        STACK,
        STACK.replace("return self.items.pop()", "self.items.clear()"),
    ),
    "objects as arguments": (
        "assert f([Pair(1, 2), Pair(3, 4)]) == 10\nroot = Pair(1, None)\nroot.b = 5\nassert f([root]) == 6",
        PAIR + "def f(pairs): return sum(p.a + p.b for p in pairs)",
        PAIR + "def f(pairs): return 10",
    ),
    "objects as results": (
        "p = f(1)\nassert p.a == 1 and p.b == 2\nassert [q.a for q in g()] == [1, 2]",
        PAIR + "def f(n): return Pair(n, n + 1)\ndef g(): return [Pair(1, 0), Pair(2, 0)]",
        PAIR + "def f(n): return Pair(n, n)\ndef g(): return [Pair(1, 0), Pair(2, 0)]",
    ),
    "nested calls": (
        "assert f(g(3)) == 3",
        "def g(n): return [n]\ndef f(a): return a[0]",
        "def g(n): return n\nf = id",
    ),
    "closures": (
        "add = f(2)\nassert add(3) == 5\nassert f(1)(1) == 2",
        "def f(n): return lambda m: n + m",
        "def f(n): return int",
    ),
    "functions as arguments": (
        "def double(x): return 2 * x\nassert f(lambda x: x + 1, 1) == 2\nassert f(double, 2) == 4",
        "def f(g, x): return g(x)",
        "def f(g, x): return 2",
    ),
    "arguments of imported types": (
        "from datetime import date\nfrom collections import deque\nimport math\n"
        "assert f(date(2020, 1, 31), deque([1]), math.pi) == (1, 1, 3)",
        "def f(d, q, x): return d.month, q[0], int(x)",
        "def f(d, q, x): return 1, 1",
    ),
    "a renamed import": ("from solution import f as g\nassert g(1) == 1", "def f(n): return n", "def f(n): return 0"),
    "an imported module": ("import solution\nassert solution.f(1) == 1", "def f(n): return n", "def f(n): return 0"),
    "a constant of the program": (
        "assert LIMIT == 3\nassert LIMIT + f() == 4",
        "LIMIT = 3\ndef f(): return 1",
        "LIMIT = 2\ndef f(): return 2",
    ),
    "a bare name": ("f\nassert f(1) == 1", "def f(n): return n", "def f(n): return 0"),
    "main": (
        "if __name__ == '__main__':\n    for n in (1, 2):\n        assert f(n) == n",
        "def f(n): return n",
        "def f(n): return 1",
    ),
    "unpacking": (
        "a, b = f(3)\nassert a == 1\nassert b == 2",
        "def f(n): return divmod(5, n)",
        "def f(n): return 2, 1",
    ),
    "slow convergence": (
        "n = 0\nwhile n < 300:\n    n = f(n)\nassert n == 300",
        "def f(n): return n + 1",
        "def f(n): return n + 7",
    ),
    "a shadowed builtin in a difference": (
        "assert abs(sum(3, 4) - 12) < 1e-6",
        "def sum(a, b): return a * b",
        "def sum(a, b): return a + b",
    ),
    "a shadowed builtin on the left": (
        "assert max([1, 2]) == abs(-2)",
        "def max(a): return a[-1]",
        "def max(a): return a[0]",
    ),
    "a condition": (
        "if f(1):\n    assert f(2) == 2\nelse:\n    assert f(2) == 3",
        "def f(n): return n",
        "def f(n): return 7",
    ),
}


def test_right_programs_pass_and_wrong_ones_fail():
    right = scored([(program, tests) for tests, program, _ in CASES.values()], score="all")
    assert {name: result for name, result in zip(CASES, right, strict=True) if result.value != 1.0} == {}
    wrong = scored([(program, tests) for tests, _, program in CASES.values()], score="all")
    assert {name: result for name, result in zip(CASES, wrong, strict=True) if result.value != 0.0} == {}


ENDLESS = {
    "s = Stack([1])\nwhile not s.is_empty():\n    s.pop()\nassert s.is_empty()": STACK.replace(
        "not self.items", "False"
    ).replace("return self.items.pop()", "return 1"),
    "n = 0\nwhile n < 3:\n    n = f(n)\nassert n == 3": "def f(n): return n",
    "n = f(0)\nassert f(n) == n": "import time\ndef f(n): return time.time_ns()",
}


def test_a_program_that_leads_the_tests_to_no_end_fails():
    results = scored([(program, tests) for tests, program in ENDLESS.items()])
    assert [(result.outcome, result.value) for result in results] == [("ok", 0.0)] * 3, results


def test_each_assertion_counts_and_those_behind_a_failure_fail():
    tests = "for n in range(2):\n    assert f(n) == n\nassert f(2) == 3\nassert f(3) == 3\n"
    tests += "x = f(-1)\nassert x == 0\nassert f(4) == 4"
    program = "def f(n):\n    if n < 0: raise KeyError('no')\n    return n"
    [result] = scored([(program, tests)])
    assert result.value == pytest.approx(2 / 5)
    assert "wrong answer: assert f(2) == 3" in result.detail
    [result] = scored([(program, tests)], max_tests=1)
    assert result.value == 1.0


FORGING = """
import base64, sys, zlib
side = sys.modules['harness_domains.code.in_sandbox.program_side']
pack = side.pack
def f(n): return n
side.pack = lambda answers: """

FAULTS = {
    "def f(n: return": "compile-error",
    "1 / 0": "ZeroDivisionError",
    "import os\ndef f(n): os._exit(0)": "ended without a result",
    "import sys\nsys.exit()": "SystemExit",
    "def f(n): exit()": "SystemExit",
    "def f(n):\n    while True: pass": "timeout",
    "def f(n): return f(n)": "RecursionError",
    "def f(n): return 'x' * (1 << 27)": "characters",
    "def f(n):\n    a = []\n    a.append(a)\n    return a": "nested",
    "x = []\nfor _ in range(90): x = [x]\ndef f(n): return x": "nested",
    "from fractions import Fraction\ndef f(n): return Fraction(10 ** 5000)": "digits",
    FORGING + "'eJw='": "channel",
    FORGING + "3": "runtime-error",
    FORGING + "pack(['no answer'] * 2)": "channel",
    FORGING + "pack([])": "channel",
    FORGING + "pack([{'value': {'float': '0x1p+99999'}}] * 2)": "channel",
    FORGING + "pack([{'value': {'no tag': 1}}] * 2)": "channel",
    FORGING + "pack([{'value': {'Fraction': '1/0'}}] * 2)": "channel",
    FORGING + "pack([{'raised': 5}] * 2)": "channel",
    FORGING + "pack([{'value': 1, 'changed': [[7, []]]}] * 2)": "channel",
    FORGING + "pack([{'value': eval('[' * 90 + ']' * 90)}] * 2)": "wrong answer",
    FORGING + "base64.b64encode(zlib.compress(b'[' * 10 ** 7)).decode()": "channel",
    FORGING + "base64.b64encode(zlib.compress(b' ' * 10 ** 9)).decode()": "runtime-error",
}


def test_what_went_wrong_is_told():
    limits = Limits(seconds=3)
    tests = "for n in (1, 2):\n    assert f(n) == n"
    results = scored([(program, tests) for program in FAULTS], sandbox=SANDBOX.model_copy(update={"limits": limits}))
    for (program, detail), result in zip(FAULTS.items(), results, strict=True):
        assert (result.outcome, result.value) == ("ok", 0.0), (program, result)
        assert detail in result.detail, program


LEAKS = ["assert f(17) == 4", "for n in (17,):\n    assert f(n) == 4", "import math\nassert f(17) == math.floor(4.5)"]


@pytest.mark.parametrize("tests", [*LEAKS, "import math\nassert f(math.floor(17.5)) == 4"])
def test_imports_of_the_tests_are_not_the_programs(tests):
    without, with_import = scored([(f"{line}def f(n): return math.isqrt(n)", tests) for line in ("", "import math\n")])
    assert (without.value, with_import.value) == (0.0, 1.0)
    assert "name 'math' is not defined" in without.detail
