"""A replacement for the parts of pytest that tests of problems use; no packages can be imported in the sandbox."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any


class raises:
    """Passes if the block raises an exception of `expected` and the regular expression `match` is found in its text."""

    def __init__(self, expected: Any, *, match: str | None = None) -> None:
        self.expected, self.match = expected, match

    def __enter__(self) -> raises:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            raise AssertionError(f"did not raise {self.expected}")
        self.value = error
        return isinstance(error, self.expected) and (
            self.match is None or re.search(self.match, str(error)) is not None
        )


class mark:
    """The namespace of `parametrize`."""

    @staticmethod
    def parametrize(names: str | list[str], values: list[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Returns a decorator that calls the test once per value."""
        keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else names

        def decorate(function: Callable[..., None]) -> Callable[..., None]:
            def each(*arguments: Any, **named: Any) -> None:
                for given in values:
                    parts = given if len(keys) > 1 else [given]
                    function(*arguments, **named, **dict(zip(keys, parts, strict=True)))

            return each

        return decorate


class approx:
    """Is equal to numbers, or containers of numbers, within the tolerance."""

    def __init__(self, expected: Any, rel: float = 1e-6, abs: float = 1e-12) -> None:
        self.expected, self.rel, self.abs = expected, rel, abs

    def __eq__(self, other: object) -> bool:
        return self._near(other, self.expected)

    __hash__ = None  # type: ignore[assignment]

    def _near(self, value: Any, expected: Any) -> bool:
        if isinstance(expected, dict):
            return value.keys() == expected.keys() and all(self._near(value[key], expected[key]) for key in expected)
        if isinstance(expected, list | tuple):
            return len(value) == len(expected) and all(map(self._near, value, expected))
        if isinstance(expected, int | float) and isinstance(value, int | float):
            return math.isclose(value, expected, rel_tol=self.rel, abs_tol=self.abs)
        return bool(value == expected)
