"""Rows of the code domain in MBPP's columns: a request, a reference solution, and three tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness_smollm.build.functions import PARAMETERS, Function, Takes
from harness_smollm.build.words import PLAIN_WORDS

TESTS = 3


def code_rows(functions: Sequence[Function], draw: random.Random) -> Iterator[Mapping[str, Any]]:
    """Yields rows without end, all functions in turn. A text may occur again, with other tests."""
    while True:
        for function in draw.sample(functions, len(functions)):
            constant = draw.choice(function.constants)
            name, result = function.name.format(k=constant), function.result.format(k=constant)
            parameters = PARAMETERS[function.takes]
            yield {
                "text": f"Write a function to {draw.choice(function.asked).format(k=constant)}.",
                "code": f"def {name}({parameters}):\n    return {result}",
                "test_list": _tests(name, f"lambda {parameters}: {result}", _INPUTS[function.takes], draw),
                "test_setup_code": "",
            }


def _tests(name: str, source: str, inputs: Callable[[random.Random], str], draw: random.Random) -> list[str]:
    """Returns three tests with different arguments, and where possible not all with the same result."""
    compute = eval(source)  # of the table of functions
    cases: dict[str, str] = {}
    for _ in range(40):
        arguments = inputs(draw)
        expected = repr(compute(*eval(f"({arguments},)")))
        if arguments not in cases and (len(cases) < TESTS - 1 or set(cases.values()) != {expected}):
            cases[arguments] = expected
        if len(cases) == TESTS:
            break
    return [f"assert {name}({arguments}) == {expected}" for arguments, expected in cases.items()]


def _numbers(draw: random.Random) -> list[int]:
    return [draw.randint(0, 20) for _ in range(draw.randint(3, 5))]


def _words(draw: random.Random) -> list[str]:
    return draw.sample(PLAIN_WORDS, draw.randint(2, 4))


_INPUTS: Mapping[Takes, Callable[[random.Random], str]] = {
    "number": lambda draw: repr(draw.randint(1, 40)),
    "two numbers": lambda draw: f"{draw.randint(1, 30)}, {draw.randint(1, 30)}",
    "list": lambda draw: repr(_numbers(draw)),
    "list and number": lambda draw: f"{_numbers(draw)}, {draw.randint(1, 3)}",
    "text": lambda draw: repr(draw.choice(PLAIN_WORDS)),
    "words": lambda draw: repr(_words(draw)),
}
