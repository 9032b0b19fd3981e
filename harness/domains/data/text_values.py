"""Converts values of data files to text, with the spelling of the file where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any


class NumberText(str):
    """The literal of a JSON number."""

    __slots__ = ()

    def number(self) -> int | float:
        """Returns the number. Raises ValueError if it has more digits than Python can read."""
        return float(self) if any(sign in self for sign in ".eE") else int(self)


def as_text(value: Any) -> Any:
    """Returns a scalar as text, a list with its scalars as text, and anything else, including null, unchanged.

    Booleans become `true` and `false` as in JSON, dates ISO 8601, numbers Python's text, and a number's literal stays
    unchanged.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value]
    if value is None or isinstance(value, dict):
        return value
    return str(value)


def as_texts(values: Iterable[Any]) -> list[Any]:
    """Returns a column's values as text. If any value is a list, the others except null become lists of one."""
    texts = [as_text(value) for value in values]
    if not any(isinstance(text, list) for text in texts):
        return texts
    return [text if text is None or isinstance(text, list) else [text] for text in texts]
