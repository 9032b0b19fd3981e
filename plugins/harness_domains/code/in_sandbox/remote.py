"""Proxies for the candidate's names and objects in the process that runs the tests.

A call is an operation that is requested from the program's process. Its result is returned as data, and the tests
continue with the data. Two kinds of results are proxies:

- A result that is not known yet. Comparisons with it are assumed to be true, so that one run of the tests finds most
  of the operations that they need. If a test needs the value itself, it ends with `PendingError`.
- An object of a class of the candidate. Tests can use its methods and attributes unless a data type has one of the
  same name: `f(x).startswith(…)` expects a text, so an object whose methods always return True does not pass. Objects
  that the tests construct themselves, by calling a capitalized name, support more operations: `Stack().pop()`,
  `len(stack)`, `vector[0]`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from harness_domains.code.in_sandbox.wire import NotDataError

OF_CONTAINERS = frozenset(name for kind in (list, dict, set) for name in dir(kind))
OF_DATA = OF_CONTAINERS.union(*(dir(kind) for kind in (str, bytes, bytearray, tuple, int, float, complex, range)))


class PendingError(BaseException):
    """A test needs the value of an operation that was not carried out yet."""


class Remote:
    """A name, a result that is not known yet, or an object. ask: carries out an operation, or records that it is
    needed. target: the name of this value in operations; None if it was computed from an unknown result. guess: the
    assumed truth value of an unknown result."""

    def __init__(
        self, ask: Callable[..., Any], target: Any, *, known: bool = False, instance: bool = False, guess: bool = True
    ) -> None:
        vars(self).update(_ask=ask, _target=target, _known=known, _instance=instance, _type="", _true=guess)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        hidden = OF_DATA - OF_CONTAINERS if self._instance else OF_DATA
        if self._target is None or name in hidden:
            return _as_data(self)
        return Path(self._ask, {"attribute": [self._target, name]})

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", self._target, (name, value))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self._target is None:
            return _as_data(self)
        return self._ask("call", self._target, arguments, named)

    def __bool__(self) -> bool:
        if self._true or not self._known:
            return bool(self._true)
        return _concrete(self, "bool") is True

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        if not self._known:
            raise PendingError
        return Remote

    def __hash__(self) -> int:
        return _needed(self)


class Path(Remote):
    """A name of the candidate, or an attribute. It can be called; otherwise, its value is read when it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Path(self._ask, {"attribute": [self._target, name]})

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        instance = str(self._target.get("name", "")).lstrip("_")[:1].isupper()
        return self._ask("call", self._target, arguments, named, instance=instance)

    def __bool__(self) -> bool:
        return bool(value_of(self))

    def __instancecheck__(self, value: Any) -> bool:
        return bool(self._ask("isinstance", _target_of(value), (self,)))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Path

    def __hash__(self) -> int:
        return id(self)


def value_of(value: Any) -> Any:
    """Returns the value of a name or an attribute; returns any other value unchanged."""
    return value._ask("value", value._target) if type(value) is Path else value


def _target_of(value: Any) -> Any:
    return value._target if isinstance(value, Remote) else value


def _needed(remote: Remote) -> NoReturn:
    """Raises an error if an unknown value is used, or if an object is used as data."""
    if remote._known:
        raise NotDataError(f"a value of type {remote._type}, not plain data")
    raise PendingError


def _as_data(remote: Remote) -> Remote:
    """Returns a placeholder for the result of an operation on unknown data. Raises NotDataError for an object."""
    if remote._known:
        _needed(remote)
    return Remote(remote._ask, None)


def _concrete(remote: Remote, name: str, *arguments: Any) -> Any:
    """Returns the result, as data, of an operation on an object that the tests constructed."""
    if not remote._instance or remote._target is None:
        _needed(remote)
    value = remote._ask(name, remote._target, arguments)
    if isinstance(value, Remote):
        _needed(value)
    return value


def _comparison(name: str) -> Callable[..., Any]:
    compare = getattr(operator, name)

    def method(self: Remote, other: Any) -> Any:
        return compare(value_of(self), other) if type(self) is Path else _as_data(self)

    return method


def _arithmetic(name: str) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: Remote, *others: Any) -> Any:
        if type(self) is Path:
            return function(value_of(self), *others)
        if self._instance:
            return self._ask(name, self._target, others)
        return _as_data(self)

    return method


def _reflected(name: str) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: Remote, other: Any) -> Any:
        return function(other, value_of(self)) if type(self) is Path else _as_data(self)

    return method


def _conversion(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Remote) -> Any:
        if type(self) is Path:
            return function(value_of(self))
        value = _concrete(self, function.__name__)
        return iter(value) if function is iter else value

    return method


for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _comparison(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    setattr(Remote, f"__{_name.strip('_')}__", _arithmetic(_name))
    setattr(Remote, f"__r{_name.strip('_')}__", _reflected(_name))
for _name in ("getitem", "setitem", "delitem", "neg", "pos", "abs", "invert"):
    setattr(Remote, f"__{_name}__", _arithmetic(_name))
_CONVERSIONS: tuple[Callable[..., Any], ...] = (len, str, repr, iter, float, int)
for _function in _CONVERSIONS:
    setattr(Remote, f"__{_function.__name__}__", _conversion(_function))


def _contains(self: Remote, item: Any) -> bool:
    return operator.contains(value_of(self), item) if type(self) is Path else bool(_concrete(self, "contains", item))


_OTHERS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "index": _conversion(operator.index),
    "round": lambda self, *digits: _as_data(self),
    "format": lambda self, form: format(str(self), form),
}
for _name, _method in _OTHERS.items():
    setattr(Remote, f"__{_name}__", _method)
