"""Runs the program and carries out, in order, the operations that the tests request. It receives no test and no
expected value."""

from __future__ import annotations

import builtins
import operator
import sys
from collections import deque
from types import ModuleType
from typing import Any

from harness_domains.code.in_sandbox.wire import NotDataError, decode, encode, pack, raised, unpack

MUTABLE = (list, dict, set, bytearray, deque)
MOST_OBJECTS = 10_000
OPERATIONS: dict[str, Any] = {
    "call": lambda function, *arguments, **named: function(*arguments, **named),
    "value": lambda value: value,
    "isinstance": isinstance,
    "setattr": setattr,
    "hasattr": hasattr,
    "callable": callable,
    "len": len,
    "str": str,
    "repr": repr,
    "bool": bool,
    "int": int,
    "float": float,
    "iter": list,
}


def answers(program: str, requests: str) -> tuple[str, str | None]:
    """Returns the packed results of packed requests, and the error if the program does not compile."""
    module = ModuleType("candidate")
    sys.modules["candidate"] = sys.modules["solution"] = module
    try:
        code = compile(program, "<candidate>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return "", f"{type(error).__name__}: {error}"[:300]
    exec(code, module.__dict__)
    asked = _Asked(module)
    return pack([asked.answer(*request) for request in unpack(requests)]), None


class _Asked:
    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.results: list[Any] = []
        self.objects: list[Any] = []

    def answer(self, name: str, target: Any, arguments: list[Any], named: dict[str, Any]) -> dict[str, Any]:
        """Returns the result of one operation: its value or exception, and the arguments that it changed."""
        self.results.append(None)
        before: list[Any] = []
        try:
            on = self.resolved(target)
            given = [self.resolved(argument) for argument in arguments]
            before = [self.encoded(value) if type(value) in MUTABLE else None for value in given]
            operation = OPERATIONS.get(name) or getattr(operator, name)
            value = operation(on, *given, **{key: self.resolved(part) for key, part in named.items()})
            self.results[-1] = value
            answer = {"value": self.encoded(value)}
        except NotDataError as error:
            return {"refused": str(error)}
        except BaseException as error:  # including SystemExit, so that the candidate cannot end the tests
            answer = {"raised": raised(error)}
        changed = []
        for index, old in enumerate(before):
            if old is not None and (new := self.encoded(given[index])) != old:
                changed.append([index, new])
        return {**answer, "changed": changed} if changed else answer

    def resolved(self, data: Any) -> Any:
        return decode(data, self.reference)

    def reference(self, tag: str, content: Any) -> Any:
        """Returns the value that a request refers to: a name, an earlier result, an object or a function of the
        tests."""
        if tag == "name":
            for names in (vars(self.module), vars(builtins), {"solution": self.module}):
                if content in names:
                    return names[content]
            raise NameError(f"name {content!r} is not defined")
        if tag == "attribute":
            return getattr(self.resolved(content[0]), content[1])
        if tag == "source":
            return _function(content)
        return (self.results if tag == "result" else self.objects)[content]

    def encoded(self, value: Any) -> Any:
        return encode(value, self.as_object)

    def as_object(self, value: Any) -> Any:
        """Returns a reference to a value that is not data, and its truth value if no method of its class is needed for
        it."""
        if len(self.objects) >= MOST_OBJECTS:
            raise NotDataError(f"more than {MOST_OBJECTS} objects")
        self.objects.append(value)
        asks = any(name in vars(kind) for kind in type(value).__mro__ for name in ("__bool__", "__len__"))
        return {"object": [len(self.objects) - 1, type(value).__name__, not asks]}


def _function(source: str) -> Any:
    if source.startswith("lambda"):
        return eval(source, {})
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return [value for name, value in namespace.items() if name != "__builtins__"][-1]
