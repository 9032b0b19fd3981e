"""Judges programs by simple tests: the calls run in one job, the values are compared here or in another job."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from harness.domains import Job, Outcome
from harness_domains.code import plain_results
from harness_domains.code.assertions import VALUE, AssertCase
from harness_domains.code.literals import literal
from harness_domains.code.running_tests import RunsJobs
from harness_domains.code.verdicts import MOST_DETAIL, Tested

Values = tuple[Any, ...]


def judge_simple(
    programs: Sequence[tuple[str, Sequence[AssertCase]]], sandbox: RunsJobs, *, all_or_nothing: bool
) -> list[list[Tested] | None]:
    """Returns the verdicts of each program, one per test; None if it returned a value that is not plain data."""
    outcomes = sandbox.run([_job(code, cases, index) for index, (code, cases) in enumerate(programs)])
    found: list[list[Tested | Values]] = []
    for (_, cases), outcome in zip(programs, outcomes, strict=True):
        found.append(_values(cases, outcome))
    again = [
        (index, position)
        for index, outcome in enumerate(outcomes)
        if outcome.kind == "runtime-error" and len(programs[index][1]) > 1 and not all_or_nothing
        for position in range(len(programs[index][1]))
    ]
    jobs = [_job(programs[index][0], [programs[index][1][position]], index) for index, position in again]
    for (index, position), outcome in zip(again, sandbox.run(jobs), strict=True):
        found[index][position] = _values([programs[index][1][position]], outcome)[0]
    return _verdicts(programs, found, sandbox)


def _job(code: str, cases: Sequence[AssertCase], group: int) -> Job:
    """Returns the job of some tests of a program. The jobs of a group stop after the first time-out."""
    calls = tuple(f"{plain_results.NAME}({call})" for case in cases for call in case.calls)
    return Job(f"{code}\n{plain_results.CODE}", calls, group)


def _values(cases: Sequence[AssertCase], outcome: Outcome) -> list[Tested | Values]:
    """Returns, for each test of a job, the values of its calls, or its verdict if the job failed."""
    if outcome.kind != "ok":
        return [Tested.of(outcome)] * len(cases)
    values = list(outcome.values)
    return [tuple(values.pop(0) for _ in case.calls) for case in cases]


def _verdicts(
    programs: Sequence[tuple[str, Sequence[AssertCase]]], found: Sequence[list[Tested | Values]], sandbox: RunsJobs
) -> list[list[Tested] | None]:
    """Returns the verdicts. A check that is more than a comparison with a literal runs in a sandbox without the
    candidate."""
    is_plain = [all(map(_is_plain, values)) for values in found]
    checks: list[tuple[int, int, Job]] = []
    verdicts: list[list[Tested]] = []
    for index, (_, cases) in enumerate(programs):
        verdicts.append([])
        for position, (case, values) in enumerate(zip(cases, found[index], strict=True)):
            if isinstance(values, Tested) or not is_plain[index]:
                verdicts[index].append(values if isinstance(values, Tested) else Tested("unsupported"))
                continue
            data = [value for _, value in values]
            passed = _compared(case.check, data[0])
            verdicts[index].append(_told(bool(passed), case))
            if passed is None:
                checks.append((index, position, _check(case, data, index)))
    for (index, position, _), outcome in zip(checks, sandbox.run([job for *_, job in checks]), strict=True):
        if outcome.kind in ("sandbox-error", "unsupported", "timeout"):
            verdicts[index][position] = Tested.of(outcome, "the check of the result: ")
        else:
            passed = outcome.kind == "ok" and outcome.values[0] is True
            verdicts[index][position] = _told(passed, programs[index][1][position])
    return [tested if plain else None for tested, plain in zip(verdicts, is_plain, strict=True)]


def _is_plain(values: Tested | Values) -> bool:
    """Returns whether all values are pairs of True and data."""
    return isinstance(values, Tested) or all(
        isinstance(value, tuple) and len(value) == 2 and value[0] is True for value in values
    )


def _compared(check: ast.expr, value: Any) -> bool | None:
    """Returns whether a check `value`, `not value`, `value == literal` or `value is None` holds; None for any other."""
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


def _check(case: AssertCase, values: Sequence[Any], group: int) -> Job:
    """Returns the job that evaluates a check on the values, in a module without the candidate's code. The values may
    make the checks slow, so they also stop after the first time-out."""
    assigned = "\n".join(f"{VALUE}{index} = {literal(value)}" for index, value in enumerate(values))
    code = f"from math import inf, nan\nimport math\n{case.imports}\n{assigned}\n"
    return Job(code, (f"bool({ast.unparse(case.check)})",), group)


def _told(passed: bool, case: AssertCase) -> Tested:
    if passed:
        return Tested("passed")
    return Tested("wrong-answer", f"wrong answer: {', '.join(case.calls)}"[:MOST_DETAIL])
