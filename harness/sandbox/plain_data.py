"""Values as tagged JSON: plain data only, by exact type, so that no candidate's object reaches the trusted side.

Runs on both sides, and inside the sandbox without the package around it: the standard library only.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 64


class NotPlainDataError(Exception):
    """A value that is not, all the way down, of the exact builtin types that `encode` knows, or is too large."""


def encode(value: Any, room: int) -> Any:
    """Returns `value` as JSON data that tells int from bool, tuple from list, and 1 from 1.0.

    `None`, `bool`, `int`, `float`, `str`, `list`, `tuple`, `dict` and `set` are known, by exact type: a subclass could
    carry an `__eq__` of its own. At most `room` values in all, nested at most `DEEPEST` deep.

    Raises NotPlainDataError for any other value.
    """
    left = [room]

    def walk(part: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise NotPlainDataError(f"a value of more than {room} parts")
        if depth > DEEPEST:
            raise NotPlainDataError(f"a value nested more than {DEEPEST} deep")
        kind = type(part)
        if part is None or kind is bool or kind is str:
            return part
        if kind is int:
            return {"int": hex(part)}  # decimal digits take quadratic time, and Python refuses more than 4300
        if kind is float:
            return {"float": part.hex()}
        if kind is list or kind is tuple or kind is set:
            return {kind.__name__: [walk(item, depth + 1) for item in part]}
        if kind is dict:
            return {"dict": [[walk(key, depth + 1), walk(item, depth + 1)] for key, item in part.items()]}
        raise NotPlainDataError(f"a value of type {kind.__name__}, not plain data")

    return walk(value, 0)


def decode(data: Any) -> Any:
    """Returns the value that `encode` took. Raises ValueError for what `encode` never writes: `data` may be forged."""
    if data is None or isinstance(data, bool | str):
        return data
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("no tagged value")
    [(tag, content)] = data.items()
    if tag == "int" and isinstance(content, str):
        return int(content, 16)
    if tag == "float" and isinstance(content, str):
        return float.fromhex(content)
    if not isinstance(content, list):
        raise ValueError(f"no tagged value: {tag}")
    try:
        if tag == "dict":
            return {decode(key): decode(item) for key, item in content}
        items = [decode(item) for item in content]
        return {"list": list, "tuple": tuple, "set": set}[tag](items)
    except (TypeError, KeyError) as error:  # a list as a key, a tag of no type
        raise ValueError(f"no tagged value: {error}") from error
