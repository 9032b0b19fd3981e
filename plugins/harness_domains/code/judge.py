"""Judges programs by the tests of their problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.domains import Job
from harness_domains.code.assertions import AssertCase, read_assertions
from harness_domains.code.problem import Problem
from harness_domains.code.program import whole_program
from harness_domains.code.running_tests import Running, RunsJobs, judge_by_running
from harness_domains.code.simple_tests import judge_simple
from harness_domains.code.standard_streams import OUTPUT, SYNTAX, job_code, same_output
from harness_domains.code.test_source import TestProgram, UnsupportedTestsError, prepared
from harness_domains.code.verdicts import Judgement, Tested


@dataclass(frozen=True)
class _Tests:
    """Parsed tests: as assertions if they are simple, as a program to run, or the reason why they cannot be run."""

    simple: tuple[AssertCase, ...] | None
    program: TestProgram | None
    unsupported: int = 0
    reason: str = ""


@lru_cache(maxsize=4096)
def _tests(source: str, entry_point: str | None) -> _Tests:
    if not source.strip():
        return _Tests(None, None)
    try:
        simple = read_assertions(source, entry_point)
        program = prepared(source, entry_point)
    except UnsupportedTestsError as error:
        return _Tests(None, None, 1, str(error))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _Tests(None, None, 1, f"{type(error).__name__}: {error}")
    return _Tests(simple, program)


def why_unsupported(problem: Problem) -> str | None:
    """Returns why none of a problem's tests can be run, as far as parsing shows; None if they can."""
    tests = _tests(problem.source, problem.entry_point)
    if problem.stdin or tests.simple:
        return None
    return tests.reason or (None if tests.program and tests.program.owners else "the row has none")


def judge(
    submissions: Sequence[tuple[str, Problem]], sandbox: RunsJobs, *, max_tests: int, all_or_nothing: bool
) -> list[Judgement]:
    """Returns a judgement for each submission (a program and its problem) on the problem's first `max_tests` tests.

    The function tests of a submission share one run of the program and its time limit. If that run ends in a runtime
    error, simple tests are run one by one, so that each gets its own verdict; with `all_or_nothing` all of them fail.
    All of them also fail if the program times out. When tests run one by one, those after the first time-out are not
    run and count as time-outs too, so that a slow program costs its time limit once.
    """
    judgements = [Judgement() for _ in submissions]
    simple: list[tuple[int, str, tuple[AssertCase, ...]]] = []
    running: dict[int, Running] = {}
    for index, (program, problem) in enumerate(submissions):
        tests = _tests(problem.source, problem.entry_point)
        judgements[index].unsupported, judgements[index].reason = tests.unsupported, tests.reason
        if tests.simple:
            simple.append((index, whole_program(program, problem), tests.simple[:max_tests]))
        elif tests.program is not None:
            running[index] = Running(whole_program(program, problem), tests.program)
    found = judge_simple([(code, cases) for _, code, cases in simple], sandbox, all_or_nothing=all_or_nothing)
    for (index, code, _), tested in zip(simple, found, strict=True):
        if tested is None:
            source = _tests(submissions[index][1].source, submissions[index][1].entry_point).program
            assert source is not None
            running[index] = Running(code, source)
        else:
            judgements[index].tests += tested
    judge_by_running(list(running.values()), sandbox, max_tests=max_tests)
    for index, run in running.items():
        if run.tests is None:
            judgements[index].unsupported, judgements[index].reason = max(1, len(run.source.owners)), run.reason
        else:
            judgements[index].tests += run.tests
    _judge_streams(submissions, judgements, sandbox, max_tests)
    return judgements


def _judge_streams(
    submissions: Sequence[tuple[str, Problem]], judgements: Sequence[Judgement], sandbox: RunsJobs, max_tests: int
) -> None:
    """Adds the verdicts of tests on standard input and output: one job per test."""
    asked = [
        (index, expected, Job(job_code(whole_program(program, problem), given), (OUTPUT, SYNTAX), index))
        for index, (program, problem) in enumerate(submissions)
        for given, expected in problem.stdin[: max(0, max_tests - len(judgements[index].tests))]
    ]
    outcomes = sandbox.run([job for _, _, job in asked])
    for (index, expected, _), outcome in zip(asked, outcomes, strict=True):
        if outcome.kind != "ok":
            tested = Tested.of(outcome)
        elif outcome.values[1] is not None:
            tested = Tested("compile-error", f"compile-error: {outcome.values[1]}"[:300])
        elif isinstance(outcome.values[0], str) and same_output(outcome.values[0], expected):
            tested = Tested("passed")
        else:
            tested = Tested("wrong-answer", "wrong answer: an output")
        judgements[index].tests.append(tested)
