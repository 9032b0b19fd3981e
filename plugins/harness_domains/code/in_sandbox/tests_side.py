"""Runs the tests of a problem on the program's results so far, in a process without any code of the candidate."""

from __future__ import annotations

import math
import random
import sys
import traceback
import types
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness_domains.code.in_sandbox import stand_in_pytest
from harness_domains.code.in_sandbox.remote import Path, PendingError, Remote, value_of
from harness_domains.code.in_sandbox.wire import NotDataError, Raised, decode, encode, exception, pack, unpack

MOST_OPERATIONS = 20_000
MOST_GUESSED = 1000
"""The maximum number of operations in one run after the first with an unknown result. Known results may show that they
are not needed."""


class EnoughError(BaseException):
    """The requested number of tests has been reached."""


class EndlessError(BaseException):
    """The tests request more operations than allowed, given the results of a program."""


class UnsupportedError(BaseException):
    """The tests need something that is not available; this is not a fault of the candidate."""


class Source:
    """A function of the tests with its source, which is sent to a candidate that receives the function as an
    argument."""

    def __init__(self, function: Callable[..., Any], text: str) -> None:
        self.function, self.text = function, text

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)


class Site:
    """One test, an `assert` or a `try` of the source. It passes if it does not fail any time it is reached."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.number = run, number

    def __enter__(self) -> None:
        if self.number not in self.run.sites and len(self.run.sites) >= self.run.most_tests:
            raise EnoughError
        self.run.sites.setdefault(self.number, None)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, Exception):
            self.run.failed(self.number, error)
        return error is None or isinstance(error, Exception | PendingError)


class Run:
    """One run of the tests. `asked` and `answers` are the operations of the previous run and their results."""

    def __init__(self, functions: Mapping[str, str], owners: Sequence[str], most_tests: int) -> None:
        self.functions, self.owners, self.most_tests = functions, owners, most_tests
        self.asked: list[Any] = []
        self.answers: list[Any] = []
        self.operations: list[Any] = []
        self.sites: dict[int, tuple[str, str] | None] = {}
        self.guessed = 0
        self.truths: dict[str, bool] = {}
        """The truth value of the last known result of an operation: the guess for the next one."""

    def site(self, number: int) -> Site:
        return Site(self, number)

    def value(self, value: Any) -> Any:
        return value_of(value)

    def name(self, name: str) -> Path:
        return Path(self.ask, {"name": name})

    def has(self, value: Any, name: str) -> Any:
        """`hasattr` of the tests: only the program's process knows whether an attribute exists."""
        of_program = isinstance(value, Remote) and value._target is not None
        return self.ask("hasattr", value._target, (name,)) if of_program else hasattr(value, name)

    def calls(self, value: Any) -> Any:
        of_program = isinstance(value, Remote) and value._target is not None
        return self.ask("callable", value._target) if of_program else callable(value)

    def function(self, function: Callable[..., Any], text: str) -> Source:
        return Source(function, text)

    def ask(
        self, name: str, target: Any, arguments: Sequence[Any] = (), named: Any = None, *, instance: bool = False
    ) -> Any:
        """Returns the result of an operation, or an unknown result if it was not carried out yet."""
        if target is None:
            raise PendingError
        index = len(self.operations)
        if self.guessed >= MOST_GUESSED:
            raise PendingError
        if index >= MOST_OPERATIONS:
            raise EndlessError
        operation = [
            *(name, target, [self.encoded(argument) for argument in arguments]),
            {key: self.encoded(part) for key, part in (named or {}).items()},
        ]
        self.operations.append(operation)
        key = repr(operation)
        if self.guessed or index >= len(self.answers) or self.now(self.asked[index]) != operation:
            self.guessed += 1
            return Remote(self.ask, {"result": index}, instance=instance, guess=self.truths.get(key, True))
        value = self.answered(self.answers[index], arguments, instance)
        self.truths[key] = isinstance(value, Remote) or bool(value)
        return value

    def now(self, data: Any) -> Any:
        """Returns an operation of the previous run, with the values of the results that it refers to."""
        if isinstance(data, list):
            return [self.now(part) for part in data]
        if not isinstance(data, dict):
            return data
        if set(data) != {"result"}:
            return {key: self.now(part) for key, part in data.items()}
        value = self.answers[data["result"]].get("value")
        is_object = isinstance(value, dict) and "object" in value
        return {"object": value["object"][0]} if is_object else value

    def answered(self, answer: Any, arguments: Sequence[Any], instance: bool) -> Any:
        def other(tag: str, content: Any) -> Any:
            number, kind, true = content
            remote = Remote(self.ask, {"object": number}, known=True, instance=instance)
            vars(remote).update(_type=str(kind), _true=true is True)
            return remote

        try:
            for index, data in answer.get("changed", ()):
                _replace(arguments[index], decode(data, other))
            error = exception(answer["raised"]) if "raised" in answer else None
            value = decode(answer["value"], other) if "value" in answer else None
        except Exception as fault:
            raise NotDataError(f"wrote into the channel of results: {type(fault).__name__}") from fault
        if "refused" in answer:
            raise NotDataError(str(answer["refused"])[:300])
        if error is not None:
            raise error
        return value

    def encoded(self, value: Any) -> Any:
        try:
            return encode(value, self.reference)
        except NotDataError as error:
            if self.answers:  # the argument may be computed from a result of the program
                raise
            raise UnsupportedError(f"an argument: {error}") from error

    def reference(self, value: Any) -> Any:
        if isinstance(value, Remote):
            if value._target is None:
                raise PendingError
            return value._target
        if isinstance(value, Source):
            return {"source": value.text}
        if isinstance(value, types.FunctionType) and value.__name__ in self.functions:
            return {"source": self.functions[value.__name__]}
        raise NotDataError(f"a value of type {type(value).__name__}, not plain data")

    def failed(self, number: int, error: Exception) -> None:
        """Records a failure: the candidate's code raised an exception or did not return data, or the answer is
        wrong."""
        of_candidate = isinstance(error, Raised | NotDataError)
        verdict = "runtime-error" if of_candidate else "wrong-answer"
        text = (
            str(error) if of_candidate else "" if type(error) is AssertionError else f"{type(error).__name__}: {error}"
        )
        self.sites[number] = self.sites[number] or (verdict, text[:300])

    def guarded(self, owner: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Runs a function of the tests. If it ends early, its tests that were not reached fail too."""
        try:
            function(*arguments)
        except Exception as error:
            if isinstance(error, ImportError) and not isinstance(error, Raised):
                raise UnsupportedError(str(error)) from error
            if not self.operations:
                raise UnsupportedError(traceback.format_exception_only(error)[-1].strip()) from error
            left = [number for number, name in enumerate(self.owners) if owner in ("", name)]
            for number in [number for number in left if number not in self.sites] or left[:1] or [len(self.owners)]:
                if len(self.sites) < self.most_tests or number in self.sites:
                    self.sites.setdefault(number, None)
                    self.failed(number, error)
        except PendingError:
            pass


def verdicts(  # noqa: PLR0917 - the caller writes the arguments as a tuple
    code: str,
    names: Sequence[str],
    calls: Sequence[tuple[str, str | None]],
    functions: Mapping[str, str],
    owners: Sequence[str],
    most_tests: int,
    asked: str,
    answers: str,
) -> tuple[str, list[tuple[int, str, str]], str | None]:
    """Returns the packed operations that have to be carried out (empty if there are none); number, verdict and detail
    of each test that was reached; and the reason why the tests cannot be run, or None.

    code: the tests. names: the candidate's names in them. calls: functions of the tests to call after the code, each
    with the candidate's name that is its argument.
    """
    run = Run(functions, owners, most_tests)
    try:
        if answers:
            run.asked, run.answers = unpack(asked), unpack(answers)
            if [type(answer) for answer in run.answers] != [dict] * len(run.asked):
                raise ValueError("no answers")
    except (ValueError, TypeError, RecursionError):
        return "", [(0, "runtime-error", "wrote into the channel of results")], None
    sys.modules["pytest"] = stand_in_pytest
    space: dict[str, Any] = {"__name__": "__main__", "math": math, "_harness_tests": run}
    space |= {"hasattr": run.has, "callable": run.calls} | {name: run.name(name) for name in names}
    random.seed(0)
    try:
        run.guarded("", exec, compile(code, "<tests>", "exec"), space)
        for name, argument in calls:
            given = [] if argument is None else [run.name(argument)]
            run.guarded(name, _called, space, name, *given)
    except (EnoughError, PendingError):
        pass
    except EndlessError:
        return "", [(0, "runtime-error", f"the tests ask for more than {MOST_OPERATIONS} operations")], None
    except (UnsupportedError, SystemExit) as error:
        return "", [], f"{error}"[:300] or "unsupported"
    if run.guessed:
        return pack(run.operations), [], None
    tests = [(number, *(failure or ("passed", ""))) for number, failure in run.sites.items()]
    return "", tests, None if run.operations else "the tests never call the program"


def _called(space: Mapping[str, Any], name: str, *arguments: Any) -> None:
    """Calls a function of the tests, or a method of a test class after its `setUp`."""
    function, _, method = name.partition(".")
    if not method:
        space[function](*arguments)
        return
    case = space[function]()
    for set_up in ("setUp", "setup_method"):
        getattr(case, set_up, lambda: None)()
    getattr(case, method)()


def _replace(old: Any, new: Any) -> None:
    """Updates a container of the tests with the content that the program gave to its copy."""
    if isinstance(old, list | bytearray):
        old[:] = new
    elif isinstance(old, dict | set | deque):
        old.clear()
        getattr(old, "extend" if isinstance(old, deque) else "update")(new)
