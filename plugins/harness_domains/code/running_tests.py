"""Judges programs by running the tests, in a process without any code of the candidate.

First the tests run without the program, which shows the operations that they need from it. A second process, which
knows no test, runs the program and carries out these operations. Then the tests run again on the results. If they need
further operations, both steps repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import Protocol

from harness.domains import Job, Outcome
from harness_domains.code.test_source import TestProgram
from harness_domains.code.verdicts import Tested

PACKAGE = "harness_domains.code.in_sandbox"
MOST_ROUNDS = 8
VALUES = ("_harness_values[0]", "_harness_values[1]", "_harness_values[2]")
NO_JUDGEMENT = ("sandbox-error", "unsupported")


class RunsJobs(Protocol):
    """The part of a sandbox that the judge uses."""

    def run(self, jobs: Sequence[Job]) -> list[Outcome]: ...


@dataclass
class Running:
    """A program that is being tested.

    asked: the operations that the last run of the tests needed, packed. answers: their results, packed. first_asked:
    the operations of the first run. tests: the verdicts at the end; None, with a reason, if the tests cannot be run.
    """

    program: str
    source: TestProgram
    asked: str = ""
    answers: str = ""
    first_asked: str = ""
    tests: list[Tested] | None = None
    reason: str = ""
    done: bool = field(default=False)

    def end(self, tests: list[Tested] | None, reason: str = "") -> None:
        self.tests, self.reason, self.done = tests, reason, True

    def fail(self, outcome: Outcome, most_tests: int, what: str = "") -> None:
        """Ends with all tests failed for the same reason."""
        count = max(1, min(len(self.source.owners), most_tests))
        self.end([Tested.of(outcome, what)] * count)


def judge_by_running(runs: Sequence[Running], sandbox: RunsJobs, *, max_tests: int) -> None:
    """Runs the tests of each program until they have verdicts."""
    for _ in range(MOST_ROUNDS):
        _run_tests([run for run in runs if not run.done], sandbox, max_tests)
        left = [run for run in runs if not run.done]
        if not left:
            return
        _run_programs(left, sandbox, max_tests)
    _end_endless([run for run in runs if not run.done], sandbox, max_tests)


def _end_endless(runs: Sequence[Running], sandbox: RunsJobs, max_tests: int) -> None:
    """Ends programs whose tests need ever more operations: they fail, unless the tests are not deterministic."""
    first = [_tests_job(Running(run.program, run.source), max_tests) for run in runs]
    for run, outcome in zip(runs, sandbox.run(first), strict=True):
        if outcome.kind == "ok" and outcome.values[0] == run.first_asked:
            run.fail(Outcome("runtime-error", detail="the tests do not end on its results"), max_tests)
        else:
            run.end(None, "the tests are not the same in each run")


def _run_tests(runs: Sequence[Running], sandbox: RunsJobs, max_tests: int) -> None:
    jobs = [_tests_job(run, max_tests) for run in runs]
    distinct = list(dict.fromkeys(jobs))  # without answers, the tests of several programs for a problem are one job
    outcomes = dict(zip(distinct, sandbox.run(distinct), strict=True))
    for run, job in zip(runs, jobs, strict=True):
        outcome = outcomes[job]
        if outcome.kind in NO_JUDGEMENT or (outcome.kind != "ok" and run.answers):
            run.fail(outcome, max_tests, "the tests: ")
        elif outcome.kind != "ok":
            run.end(None, outcome.detail)
        else:
            asked, tests, reason = outcome.values
            if asked:
                run.asked = asked
                run.first_asked = run.first_asked or asked
            else:
                run.end(None if reason else [_tested(run.source, *test) for test in tests], reason or "")


def _tested(source: TestProgram, number: int, verdict: str, detail: str) -> Tested:
    if verdict == "passed":
        return Tested("passed")
    text = source.texts[number] if number < len(source.texts) else "the tests"
    words = "wrong answer" if verdict == "wrong-answer" else verdict
    return Tested(verdict, f"{words}: {text}{': ' if detail else ''}{detail}"[:300])  # type: ignore[arg-type]


def _run_programs(runs: Sequence[Running], sandbox: RunsJobs, max_tests: int) -> None:
    jobs = [_job("program_side", "answers", (run.program, run.asked), VALUES[:2]) for run in runs]
    for run, outcome in zip(runs, sandbox.run(jobs), strict=True):
        if outcome.kind != "ok":
            run.fail(outcome, max_tests)
            continue
        answers, fault = outcome.values
        if fault is not None:
            run.fail(Outcome("compile-error", detail=str(fault)), max_tests)
        elif not isinstance(answers, str) or not answers.isascii():
            run.fail(Outcome("runtime-error", detail="wrote to the channel of results"), max_tests)
        else:
            run.answers = answers


def _tests_job(run: Running, max_tests: int) -> Job:
    source = run.source
    given = (source.code, source.names, source.calls, source.functions, source.owners, max_tests)
    return _job("tests_side", "verdicts", (*given, run.asked if run.answers else "", run.answers), VALUES)


def _job(module: str, function: str, arguments: tuple[object, ...], values: tuple[str, ...]) -> Job:
    """Returns the job that calls a function of a module of `in_sandbox`."""
    names = ["wire", *(["remote", "stand_in_pytest"] if module == "tests_side" else []), module]
    called = f"_harness_sys.modules['{PACKAGE}.{module}'].{function}(*{arguments!r})"
    return Job(f"{_modules(tuple(names))}_harness_values = {called}\n", values)


@cache
def _modules(names: tuple[str, ...]) -> str:
    """Returns code that creates modules of `in_sandbox` from their text, in the order of `names`."""
    texts = {f"{PACKAGE}.{name}": (resources.files(PACKAGE) / f"{name}.py").read_text("utf-8") for name in names}
    parents = list(accumulate(PACKAGE.split("."), "{}.{}".format))
    return f"""\
import sys as _harness_sys, types as _harness_types
for _harness_name in {parents!r}:
    _harness_sys.modules[_harness_name] = _harness_types.ModuleType(_harness_name)
for _harness_name, _harness_text in {texts!r}.items():
    _harness_module = _harness_sys.modules[_harness_name] = _harness_types.ModuleType(_harness_name)
    setattr(_harness_sys.modules['{PACKAGE}'], _harness_name.rpartition('.')[2], _harness_module)
    exec(compile(_harness_text, _harness_name, 'exec'), _harness_module.__dict__)
"""
