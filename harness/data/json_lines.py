"""Reads JSON lines: one object a line, in UTF-8. Every fault names the file and the line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.errors import UsageError


def decoded(content: bytes, where: str) -> str:
    """Returns the text of a file in UTF-8, without a byte-order mark. Raises UsageError where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"is not text in UTF-8 (byte 0x{content[error.start]:02x})",
            where=f"{where}:{line}",
            hint="save the file as UTF-8, for example with: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from None


def json_value(text: str, where: str, *, number: Callable[[str], Any] | None = None) -> Any:
    """Returns the JSON value of `text`. number: makes a value of a number's literal, a Python number by default.

    Raises UsageError where the text is not JSON.
    """
    try:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"is not JSON: {error.msg} ({place})", where=where) from None
    except RecursionError:
        raise UsageError("is nested too deeply", where=where) from None
    except ValueError as error:
        raise UsageError(f"is not JSON: {error}", where=where) from None


def json_lines(content: bytes, where: str, *, number: Callable[[str], Any] | None = None) -> Iterator[tuple[int, Any]]:
    """Yields the line number, from 1, and the object of each line that is not blank.

    Raises UsageError where the text is not UTF-8, or a line is not a JSON object.
    """
    for line, text in enumerate(decoded(content, where).split("\n"), start=1):
        if not text.strip():
            continue
        value = json_value(text, f"{where}:{line}", number=number)
        if not isinstance(value, dict):
            raise UsageError(
                f"is {_kind(value)}, not an object", where=f"{where}:{line}", hint='write each row as {"column": value}'
            )
        yield line, value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _kind(value: Any) -> str:
    kinds = {str: "a string", list: "a list", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
