"""The reward: reference programs get 1, wrong and cheating ones 0, and a missing verdict is not a zero."""

import json
from pathlib import Path

import pytest

from harness import RewardBatch
from harness.domains.data import DataSource
from harness.domains.sandbox import Limits, Outcome, SandboxConfig
from harness_domains.code import reward as reward_module
from harness_domains.code.config import CodeConfig, CodeRewardConfig
from harness_domains.code.domain import CodeDomain
from harness_domains.code.problem import Problem
from harness_domains.code.reward import CodeTestsReward

FIXTURES = Path(__file__).parents[2] / "fixtures" / "code"
BARE = SandboxConfig(tier="subprocess", allow_unsafe=True)
"""These programs are ours: what the tiers contain is shown by the sandbox's own tests."""

SOURCES = {"klear": "klear_train", "mbpp": "mbpp_train", "humaneval": "humaneval_test"}


def score(pairs, **config):
    """Scores (program, problem) pairs as completions with one block each."""
    reward = CodeTestsReward(CodeRewardConfig(**{"sandbox": BARE, **config}))
    completions = [f"<think>hm</think>Here:\n```python\n{program}\n```" for program, _ in pairs]
    rows = [{"tests": problem.to_json() if isinstance(problem, Problem) else problem} for _, problem in pairs]
    return list(reward.score(RewardBatch(prompts=[""] * len(pairs), completions=completions, rows=rows)))


def references(preset):
    """Returns the fixtures' problems with their reference programs."""
    config = CodeConfig(preset=preset, data_files=FIXTURES / f"{SOURCES[preset]}.jsonl")
    rows = [json.loads(line) for line in config.files()[0].read_text().splitlines()]
    tests = {row["prompt"][-1]["content"]: row["tests"] for row in CodeDomain(config).training_data(0)}
    solutions = json.loads((FIXTURES / "klear_solutions.json").read_text())
    pairs = []
    for row in rows:
        [text] = [text for text in tests if str(row.get("text") or row["prompt"]) in text or _asks(row, text)]
        program = solutions[row["hash"]] if preset == "klear" else row.get("code") or row["canonical_solution"]
        pairs.append((program, Problem.from_json(tests[text])))
    return pairs


def _asks(row, text):
    return isinstance(row.get("prompt"), list) and row["prompt"][0]["content"] == text


@pytest.mark.parametrize("preset", SOURCES)
def test_reference_programs_are_worth_one_and_shuffled_ones_nothing(preset):
    pairs = references(preset)
    programs, problems = zip(*pairs, strict=True)
    shuffled = list(zip([*programs[1:], programs[0]], problems, strict=True))
    right = score(pairs, score="all")
    assert [(result.outcome, result.value) for result in right] == [("ok", 1.0)] * len(pairs), right
    wrong = score(shuffled, score="all")
    assert [(result.outcome, result.value) for result in wrong] == [("ok", 0.0)] * len(pairs), wrong


def test_the_share_counts_each_test_by_itself():
    problem = Problem(source="assert f(1) == 1\nassert f(0) == 0\nassert f(2) == 3\nassert f(4) == 4")
    [result] = score([("def f(n):\n    return n // n * n", problem)])
    assert (result.outcome, result.value) == ("ok", 0.5)
    assert "2 of 4 tests passed" in result.detail
    assert "1 runtime-error" in result.detail
    assert "1 wrong-answer" in result.detail
    [result] = score([("def f(n):\n    return n // n * n", problem)], score="all")
    assert result.value == 0.0
    [result] = score([("def f(n):\n    return n // n * n", problem)], max_tests=1)
    assert result.value == 1.0


EQUAL = "class Equal:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
CHEATS = {
    "equal to all": EQUAL + "def f(n): return Equal()",
    "an int equal to all": "class Equal(int):\n    def __eq__(self, other): return True\ndef f(n): return Equal(9)",
    "a list equal to all": "class Equal(list):\n    def __eq__(self, other): return True\ndef f(n): return Equal()",
    "exits well": "import sys\nsys.exit(0)",
    "exits in the call": "import sys\ndef f(n): sys.exit(0)",
    "leaves at once": "import os\nos._exit(0)",
    "changes builtins": "import builtins\nbuiltins.sorted = builtins.abs = lambda *a: 0\ndef f(n): return [9]",
    "changes math": "import math\nmath.isclose = lambda *a, **k: True\ndef f(n): return 77",
    "subtracts to nothing": EQUAL + "    __sub__ = __abs__ = __float__ = lambda *a: 0.0\ndef f(n): return Equal()",
    "closes the text": '"""',
    "forges the marker": "def _harness_plain(v): return 1\ndef f(n): return 'no'",
}


@pytest.mark.parametrize("program", CHEATS.values(), ids=CHEATS)
def test_cheats_are_worth_nothing(program):
    source = "import math\nassert f(1) == 1\nassert sorted(f(2)) == [0]\nassert abs(f(3) - 1) < 1e-3\n"
    source += "assert math.isclose(f(4), 4)\nassert f(5) is True\n"
    [result] = score([(program, Problem(source=source))])
    assert (result.outcome, result.value) == ("ok", 0.0), result


def test_what_went_wrong_is_told_apart():
    problem = Problem(source="assert f(1) == 1")
    programs = ["def f(n: return", "def f(n): return 2", "def f(n): return n / 0", "def f(n):\n    while True: pass"]
    limits = {"seconds": 1.0}
    sandbox = SandboxConfig(tier="subprocess", allow_unsafe=True, limits=limits)
    results = score([(program, problem) for program in programs], sandbox=sandbox)
    assert [(result.outcome, result.value) for result in results] == [("ok", 0.0)] * 4
    words = ("compile-error", "wrong-answer", "runtime-error", "timeout")
    assert all(word in result.detail for word, result in zip(words, results, strict=True)), results


def test_standard_streams():
    problem = Problem(stdin=(("2 3\n", "5\n"), ("1 1", "2")))
    programs = [
        "print(sum(map(int, input().split())))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())), end='  ')",
        "import os, sys\nsys.stdout.buffer.write(b'5\\n')\nraise SystemExit(3)",
        "print('5' if",
        "print(input(), input(), input())",
    ]
    results = score([(program, problem) for program in programs])
    assert [result.value for result in results] == [1.0, 1.0, 0.5, 0.0, 0.0], results
    assert "compile-error" in results[3].detail
    assert "runtime-error" in results[4].detail


IDIOMS = {
    "exit": "print(int(input()) * 2)\nexit()",
    "quit with a status": "print(int(input()) * 2)\nquit(3)",
    "sys.exit with words": "import sys\nprint(int(input()) * 2)\nsys.exit('bye')",
    "os._exit": "import os\nprint(int(input()) * 2, flush=True)\nos._exit(0)",
    "os.read of the file's size": "import io, os\n"
    "print(int(io.BytesIO(os.read(0, os.fstat(0).st_size)).readline()) * 2)",
    "os.read in pieces": "import os\nprint(int(os.read(0, 1) + os.read(0, 9)) * 2)",
    "a wrapper over the buffer": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\n"
    "print(int(input()) * 2)",
    "a wrapper over a file": "import io, sys\nsys.stdout = io.TextIOWrapper(open(1, 'wb', closefd=False))\n"
    "print(int(input()) * 2)",
    "another input": "import io, os\ninput = io.TextIOWrapper(os.fdopen(0, 'rb')).readline\nprint(int(input()) * 2)",
    "closed output": "import sys\nprint(int(input()) * 2)\nsys.stdout.close()",
    "os.write": "import os\nos.write(1, str(int(input()) * 2).encode())",
    "/dev/stdin": "print(int(open('/dev/stdin').read()) * 2)",
    "/dev/stdout": "open('/dev/stdout', 'w').write(str(int(input()) * 2))",
    "descriptor 0": "print(int(open(0).read()) * 2)",
    "sys.stdin.buffer": "import sys\nsys.stdout.buffer.write(b'%d' % (int(sys.stdin.buffer.readline()) * 2))",
    "the first standard output": "import sys\nprint(int(sys.stdin.readline()) * 2, file=sys.__stdout__)",
    "fileinput": "import fileinput\nfor line in fileinput.input():\n    print(int(line) * 2)",
    "atexit": "import atexit\nn = int(input())\natexit.register(lambda: print(n * 2))",
    "input after the end": "n = int(input())\ntry:\n    input()\nexcept EOFError:\n    print(n * 2)",
    "a thread": "import threading\ndef main(): print(int(input()) * 2)\nthreading.Thread(target=main).start()",
    "a name of main": "if __name__ == '__main__':\n    print(int(input()) * 2)",
    "a data class": "from dataclasses import dataclass\n@dataclass\nclass N:\n    n: int\nprint(N(int(input())).n * 2)",
    "a child": "import os\nn = int(input())\nif os.fork() == 0:\n    print(n * 2)\nelse:\n    os.wait()",
}


def test_programs_read_and_write_as_in_cpython():
    for expected, value in (("6\n", 1.0), ("7\n", 0.0)):
        problem = Problem(stdin=(("3\n", expected),))
        results = score([(program, problem) for program in IDIOMS.values()])
        assert {name: result.value for name, result in zip(IDIOMS, results, strict=True)} == dict.fromkeys(
            IDIOMS, value
        )


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("print(6)\n1 / 0", "ZeroDivisionError: division by zero"),
        ("print(6)\nimport os\nos.abort()", "signal 6"),
        ("print(6)\nraise Exception('\\udc80' * 999)", "Exception"),
        ("print(6)\nwhile True: print('x' * 1000)", "runtime-error"),
        ("print(6", "compile-error"),
        ("print(6)\nimport math\nmath.sqrt(-1)", "ValueError"),
        ("print(6)\nroot(4)", "NameError"),
    ],
)
def test_programs_that_fail_after_the_right_output_are_wrong(program, detail):
    [result] = score([(program, Problem(stdin=(("3\n", "6\n"),)))])
    assert (result.outcome, result.value) == ("ok", 0.0)
    assert detail in result.detail


def test_a_slow_program_costs_its_limit_once():
    """The test that runs out of time is the last to run; those before it count, those after it are timeouts."""
    program = "n = int(input())\nwhile n == 2: pass\nprint(n)"
    problem = Problem(stdin=tuple((str(n), str(n)) for n in (0, 1, 2, 3)))
    quick = BARE.model_copy(update={"limits": Limits(seconds=1)})
    [result] = score([(program, problem)], sandbox=quick)
    assert result.value == 0.5
    assert "2 of 4 tests passed; 2 timeout" in result.detail


def test_a_program_whose_values_are_slow_to_check_costs_the_limit_once():
    """The tests compute with what the program returns: the first check that runs out of time is the last to run."""
    tests = [f"assert sum(range(f({n}))) == {n}" for n in range(50)]
    quick = BARE.model_copy(update={"limits": Limits(seconds=1)})
    program = "def f(n): return 0 if n == 0 else 10**11"
    [result] = score([(program, Problem(source="\n".join(tests)))], sandbox=quick, max_tests=50)
    assert result.value == 0.02
    assert "1 of 50 tests passed; 49 timeout" in result.detail


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        (
            Problem(source="import numpy\nassert f(1) == 1"),
            "import numpy, but the sandbox has only Python's standard library",
        ),
        (Problem(source="assert is_same_tree(f(1), tree_node([1]))"), "tree_node"),
        (Problem(source="assert f(1) =="), "SyntaxError"),
        (Problem(source="for n in range(3):\n    assert n == n"), "never call the program"),
        (Problem(source="x = [1]"), "never call the program"),
        (Problem(source="x = 1"), "never call the program"),
        (Problem(source="f(1)"), "the row has none"),
        (Problem(source="import time\nassert f(time.time_ns()) == 1"), "not the same in each run"),
        (Problem(source="try:\n    f(1)\nexcept OwnError:\n    assert True"), "exception class"),
        (Problem(), "the row has none"),
        ("{}}", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_without_a_test_that_can_be_run_there_is_an_error(tests, reason):
    [result] = score([("def f(n): return n", tests)])
    assert (result.outcome, result.value) == ("error", None), result
    assert reason in result.detail
    row = {"tests": tests.to_json() if isinstance(tests, Problem) else tests}
    [told] = CodeTestsReward(CodeRewardConfig()).unjudgeable([""], [row])
    assert told == result.detail or reason == "not the same in each run"


def test_a_completion_without_a_program_is_worth_nothing_and_starts_no_sandbox(monkeypatch):
    monkeypatch.setattr(reward_module, "open_sandbox", lambda config: pytest.fail("a sandbox was opened"))
    reward = CodeTestsReward(CodeRewardConfig())
    row = {"tests": Problem(source="assert f(1)").to_json()}
    [result] = reward.score(RewardBatch(prompts=[""], completions=["I cannot"], rows=[row]))
    assert (result.outcome, result.value) == ("ok", 0.0)
    assert "no program" in result.detail


class FailingSandbox:
    """Fails at the jobs that hold a word, as a sandbox does whose worker died."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def run(self, jobs):
        return [
            Outcome("sandbox-error", (), "the worker died") if "unlucky" in job.code else Outcome("ok", ((True, 1),))
            for job in jobs
        ]


def test_a_failing_sandbox_is_an_error_and_never_a_zero(monkeypatch):
    monkeypatch.setattr(reward_module, "open_sandbox", lambda config: FailingSandbox())
    problem = Problem(source="assert f(1) == 1")
    lucky, unlucky = score([("def f(n): return 1", problem), ("def f(n): return 'unlucky'", problem)])
    assert (lucky.outcome, lucky.value) == ("ok", 1.0)
    assert (unlucky.outcome, unlucky.value) == ("error", None)
    assert "the worker died" in unlucky.detail


def test_subclasses_of_plain_data_compare_by_their_content():
    source = "assert f(0) == {'a': 2}\nassert f(1) == (1, 2)\nassert f(2) == {1, 2}"
    program = (
        "from collections import Counter, namedtuple\n"
        "def f(n):\n    return [Counter('aa'), namedtuple('P', 'x y')(1, 2), frozenset([1, 2])][n]"
    )
    [result] = score([(program, Problem(source=source))])
    assert result.value == 1.0, result


def test_the_source_of_the_plain_format_goes_on_from_the_signature():
    problem = Problem(prefix='def f(n):\n    """Doubles."""\n', source="assert f(2) == 4")
    reward = CodeTestsReward(CodeRewardConfig(sandbox=BARE, format="plain"))
    rows = [{"tests": problem.to_json()}]
    [result] = reward.score(RewardBatch(prompts=[""], completions=["    return 2 * n\n"], rows=rows))
    assert result.value == 1.0


def test_sanitized_mbpp_is_read_too():
    from harness_domains.code.problems import load_questions

    source = DataSource(data_files=FIXTURES / "mbpp_sanitized.jsonl")
    _, [asked] = load_questions(source, "mbpp")
    [result] = score([(asked.reference, asked.problem)])
    assert result.value == 1.0
    assert "fence of equal posts" in asked.text
