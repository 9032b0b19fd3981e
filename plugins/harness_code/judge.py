"""Runs programs against their problems' tests in the sandbox and judges the data that come back."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.sandbox import Job
from harness_code import plain_results
from harness_code.assertions import VALUE, read_assertions
from harness_code.problem import Problem
from harness_code.program import whole_program
from harness_code.standard_streams import OUTPUT, SYNTAX, job_code, same_output

if TYPE_CHECKING:
    from harness.sandbox import Outcome

Verdict = Literal["passed", "wrong-answer", "runtime-error", "compile-error", "timeout", "unsupported", "sandbox-error"]


class RunsJobs(Protocol):
    """What the judge needs of a sandbox."""

    def run(self, jobs: Sequence[Job]) -> list[Outcome]: ...


@dataclass(frozen=True)
class Tested:
    """The verdict of one test and, where it did not pass, why."""

    verdict: Verdict
    detail: str = ""


@dataclass
class Judgement:
    """The verdicts of one program, a test each, and how many of its problem's tests could not be read."""

    tests: list[Tested] = field(default_factory=list)
    unsupported: int = 0

    @property
    def share(self) -> float:
        """The share of the tests that passed; 0.0 where there is none."""
        return sum(test.verdict == "passed" for test in self.tests) / max(1, len(self.tests))

    def describe(self) -> str:
        """Returns the counts of the verdicts and the first failure, for people."""
        counts = Counter(test.verdict for test in self.tests)
        parts = [f"{counts['passed']} of {len(self.tests)} tests passed"]
        parts += [f"{count} {verdict}" for verdict, count in sorted(counts.items()) if verdict != "passed"]
        if self.unsupported:
            parts.append(f"{self.unsupported} not supported")
        first = next((test.detail for test in self.tests if test.detail), "")
        return "; ".join(parts) + (f" ({first})" if first else "")


@dataclass(frozen=True)
class _Test:
    """A test of one program, ready to run: its code, its expressions, and the check of their values."""

    code: str
    expressions: tuple[str, ...]
    check: ast.expr | str
    imports: str = ""


def judge(
    submissions: Sequence[tuple[str, Problem]], sandbox: RunsJobs, *, max_tests: int, all_or_nothing: bool
) -> list[Judgement]:
    """Returns a judgement a submission, a program with its problem, on the first `max_tests` tests of it.

    The function tests of a submission share one run of the program, and its time limit. Where that ends in a runtime
    error they are run one by one, so that each is judged by itself; with `all_or_nothing` they all fail with it, and so
    they do where it ran out of time. Of tests that run one by one, those after the first that ran out of time do not
    run and are timeouts too: a slow program costs its time limit once.
    """
    judgements = [Judgement() for _ in submissions]
    tests: list[list[_Test]] = []
    for (program, problem), judgement in zip(submissions, judgements, strict=True):
        found, judgement.unsupported = _tests(program, problem)
        tests.append(found[:max_tests])
    groups = [(owner, group) for owner, found in enumerate(tests) for group in _groups(found)]
    again: list[tuple[int, list[_Test]]] = []
    ready: list[tuple[int, _Test, Tested | tuple[Any, ...]]] = []
    for (owner, group), outcome in zip(groups, _run(groups, sandbox), strict=True):
        if outcome.kind == "runtime-error" and len(group) > 1 and not all_or_nothing:
            again += [(owner, [test]) for test in group]
        else:
            ready += [(owner, test, values) for test, values in zip(group, _values(group, outcome), strict=True)]
    for (owner, group), outcome in zip(again, _run(again, sandbox), strict=True):
        ready.append((owner, group[0], _values(group, outcome)[0]))
    for (owner, _, _), tested in zip(ready, _checked(ready, sandbox), strict=True):
        judgements[owner].tests.append(tested)
    return judgements


def _tests(program: str, problem: Problem) -> tuple[list[_Test], int]:
    assertions = read_assertions(problem.source, problem.entry_point)
    whole = whole_program(program, problem)
    code = f"{whole}\n{assertions.imports}\nimport math\n{plain_results.CODE}"
    found = [
        _Test(code, tuple(f"{plain_results.NAME}({call})" for call in case.calls), case.check, assertions.imports)
        for case in assertions.cases
    ]
    found += [_Test(job_code(whole, given), (OUTPUT, SYNTAX), expected) for given, expected in problem.stdin]
    return found, assertions.unsupported


def _groups(tests: Sequence[_Test]) -> list[list[_Test]]:
    """Returns the tests that run in one job: those of functions together, each of standard input by itself."""
    functions = [test for test in tests if not isinstance(test.check, str)]
    return [group for group in [functions, *([test] for test in tests if isinstance(test.check, str))] if group]


def _run(groups: Sequence[tuple[int, list[_Test]]], sandbox: RunsJobs) -> list[Outcome]:
    """Runs each group of tests as one job; the jobs of one submission end with the first that runs out of time."""
    return sandbox.run(
        [
            Job(tests[0].code, tuple(call for test in tests for call in test.expressions), group=owner)
            for owner, tests in groups
        ]
    )


def _values(group: Sequence[_Test], outcome: Outcome) -> list[Tested | tuple[Any, ...]]:
    """Returns, for each test of a job, the values of its expressions, or its verdict where there are none."""
    if outcome.kind != "ok":
        return [Tested(outcome.kind, f"{outcome.kind}: {outcome.detail}"[:300])] * len(group)
    values = list(outcome.values)
    if len(values) != sum(len(test.expressions) for test in group):
        return [Tested("sandbox-error", f"the sandbox gave {len(values)} values")] * len(group)
    return [tuple(values.pop(0) for _ in test.expressions) for test in group]


def _checked(ready: Sequence[tuple[int, _Test, Tested | tuple[Any, ...]]], sandbox: RunsJobs) -> list[Tested]:
    """Returns the verdicts; a check that is more than a comparison with a literal runs where no candidate ever did."""
    verdicts: list[Tested | None] = [_directly(test, values) for _, test, values in ready]
    open_checks = [index for index, verdict in enumerate(verdicts) if verdict is None]
    outcomes = sandbox.run([_reference(*ready[index]) for index in open_checks])
    for index, outcome in zip(open_checks, outcomes, strict=True):
        if outcome.kind in ("sandbox-error", "unsupported", "timeout"):
            verdicts[index] = Tested(outcome.kind, f"the check of the result: {outcome.detail}"[:300])
        else:
            verdicts[index] = _told(outcome.kind == "ok" and bool(outcome.values[0]), ready[index][1])
    return [verdict for verdict in verdicts if verdict is not None]


def _directly(test: _Test, values: Tested | tuple[Any, ...]) -> Tested | None:
    """Returns the verdict where it takes no evaluation: a failure, an output, `value == literal` and the like."""
    if isinstance(values, Tested):
        return values
    if isinstance(test.check, str):
        written, fault = values
        if fault is not None:
            return Tested("compile-error", f"compile-error: {fault}"[:300])
        return _told(isinstance(written, str) and same_output(written, test.check), test)
    passed = _compared(test.check, values[0])
    return None if passed is None else _told(passed, test)


def _compared(check: ast.expr, value: Any) -> bool | None:
    """Returns whether a check holds that is `value`, `not value`, `value == literal` or `value is None`; else None."""
    match check:
        case ast.Name():
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name()):
            return not value
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq() | ast.Is() as operator], comparators=[right]):
            try:
                expected = ast.literal_eval(right)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return None
            if name == f"{VALUE}0" and isinstance(operator, ast.Eq):
                return bool(value == expected)
            if name == f"{VALUE}0" and (expected is None or isinstance(expected, bool)):
                return value is expected
    return None


def _reference(owner: int, test: _Test, values: Tested | tuple[Any, ...]) -> Job:
    """Returns the job that evaluates a check on the values alone, in a module without the candidate's code."""
    assert isinstance(values, tuple)
    assigned = "\n".join(f"{VALUE}{index} = {value!r}" for index, value in enumerate(values))
    code = f"from math import inf, nan\nimport math\n{test.imports}\n{assigned}\n"
    return Job(code=code, expressions=(f"bool({ast.unparse(test.check)})",), group=owner)  # type: ignore[arg-type]


def _told(passed: bool, test: _Test) -> Tested:
    if passed:
        return Tested("passed")
    asked = "an output" if isinstance(test.check, str) else ", ".join(test.expressions).replace(plain_results.NAME, "")
    return Tested("wrong-answer", f"wrong answer: {asked}"[:300])
