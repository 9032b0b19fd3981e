"""Encodes plain data as tagged JSON, by exact type, so that no object of a candidate reaches the trusted side.

Runs on both sides, and in the sandbox without the rest of the package, so it uses only the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DEEPEST = 64
SMALL = 1 << 53


def _complex_to_text(number: complex) -> str:
    return f"{number.real.hex()} {number.imag.hex()}"


def _complex_from_text(text: str) -> complex:
    real, imaginary = text.split(" ")
    return complex(float.fromhex(real), float.fromhex(imaginary))


AS_TEXT: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    int: (hex, lambda text: int(text, 16)),  # Python refuses more than 4300 decimal digits
    float: (float.hex, float.fromhex),
    complex: (_complex_to_text, _complex_from_text),
    bytes: (bytes.hex, bytes.fromhex),
}
SEQUENCES: tuple[type, ...] = (list, tuple, set, frozenset)
NAMED: dict[str, Any] = {kind.__name__: kind for kind in (*AS_TEXT, *SEQUENCES, dict)}


class NotPlainDataError(Exception):
    """A value is too large, or a part of it has another type than those that `encode` supports."""


def encode(value: Any, room: int) -> Any:
    """Returns `value` as JSON data that distinguishes int from bool, tuple from list, and 1 from 1.0.

    Supports `None`, `bool`, `str` and the types in `NAMED`, by exact type, because a subclass could define its own
    `__eq__`. room: the maximum number of values; they may be nested `DEEPEST` deep.

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
        if part is None or kind is bool or kind is str or (kind is int and -SMALL < part < SMALL):
            return part
        if kind in AS_TEXT:
            return {kind.__name__: AS_TEXT[kind][0](part)}
        if kind in SEQUENCES:
            return {kind.__name__: [walk(item, depth + 1) for item in part]}
        if kind is dict:
            return {"dict": [[walk(key, depth + 1), walk(item, depth + 1)] for key, item in part.items()]}
        raise NotPlainDataError(f"a value of type {kind.__name__}, not plain data")

    return walk(value, 0)


def decode(data: Any) -> Any:
    """Returns the value that `encode` encoded. Raises ValueError for any other data, which may be forged."""
    try:
        return _decoded(data, 0)
    except (
        TypeError,
        AttributeError,
        KeyError,
        OverflowError,
    ) as error:  # a list as a key, an unknown tag, a float out of range
        raise ValueError(f"no tagged value: {type(error).__name__}") from error


def _decoded(data: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"a value nested more than {DEEPEST} deep")
    if data is None or type(data) in (bool, int, str):
        return data
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("no tagged value")
    [(tag, content)] = data.items()
    kind = NAMED[tag]
    if kind in AS_TEXT:
        return AS_TEXT[kind][1](content)
    if not isinstance(content, list):
        raise ValueError("no tagged value: its content is no list")
    if kind is dict:
        return {_decoded(key, depth + 1): _decoded(item, depth + 1) for key, item in content}
    return kind(_decoded(item, depth + 1) for item in content)
