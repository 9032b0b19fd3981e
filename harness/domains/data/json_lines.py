"""Reads JSON rows: one object per line, or a list of objects. Every error names the file and the row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.errors import UsageError

Number = Callable[[str], Any]
ONE_A_LINE = 'write one object per line, as {"column": value}'


def decoded(content: bytes, where: str) -> str:
    """Returns the text of a UTF-8 file, without its byte-order mark. Raises UsageError if it is not UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError("is text in UTF-16, not in UTF-8", where=where, hint=_to_utf8("utf-16"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"is not text in UTF-8 (byte 0x{content[error.start]:02x})",
            where=f"{where}:{line}",
            hint=_to_utf8("latin1"),
        ) from None


def json_value(text: str, where: str, *, number: Number | None = None, hint: str = "") -> Any:
    """Returns the JSON value of `text`. number: converts a number's literal; by default, to a Python number.

    Raises UsageError if the text is not JSON, or if an object has a key twice.
    """
    try:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=_refuse, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"is not JSON: {error.msg} ({place})", where=where, hint=hint) from None
    except RecursionError:
        raise UsageError("is nested too deeply", where=where) from None
    except ValueError as error:
        raise UsageError(f"cannot be read: {error}", where=where) from None


def json_lines(content: bytes, where: str, *, number: Number | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the line number, from 1, and the object of each line that is not blank.

    Raises UsageError if the text is not UTF-8, or if a line is not a JSON object.
    """
    for line, text in enumerate(decoded(content, where).split("\n"), start=1):
        if text.strip():
            place = f"{where}:{line}"
            yield line, _row(json_value(text, place, number=number, hint=ONE_A_LINE), place)


def json_list(content: bytes, where: str, *, number: Number | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the number, from 1, and the object of each row of a JSON list. Raises UsageError like `json_lines`."""
    values = json_value(decoded(content, where), where, number=number)
    for row, value in enumerate(values, start=1):
        yield row, _row(value, f"{where}, row {row}")


def _row(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    kinds = {str: "a string", list: "a list", bool: "true or false", type(None): "null"}
    raise UsageError(f"is {kinds.get(type(value), 'a number')}, not an object", where=where, hint=ONE_A_LINE)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is written twice")
    return data


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _to_utf8(encoding: str) -> str:
    return f"save the file as UTF-8, for example with: iconv -f {encoding} -t utf-8 FILE > NEW"
