"""Values as JSON text, exchanged between the process that runs the tests and the one that runs the program.

Plain data and the data types of the standard library are copied. A subclass of theirs is copied by its content, so no
method of a candidate's class is transferred. The caller decides how other values are encoded.
"""

from __future__ import annotations

import binascii
import datetime
import itertools
import json
import types
import zlib
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

DEEPEST = 64
MOST_PARTS = 200_000
MOST_CHARACTERS = 1 << 21
MOST_BYTES = 1 << 25
MOST_ITEMS = 10_000
"""The maximum number of items copied from an iterator."""


class NotDataError(Exception):
    """The value cannot be copied, or only by calling a method of a candidate's class."""


def _complex_from(text: str) -> complex:
    real, imaginary = text.split(" ")
    return complex(float.fromhex(real), float.fromhex(imaginary))


def _timedelta_from(text: str) -> datetime.timedelta:
    return datetime.timedelta(*map(int, text.split(" ")))


AS_TEXT: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    int: (hex, lambda text: int(text, 16)),
    float: (float.hex, float.fromhex),
    complex: (lambda value: f"{value.real.hex()} {value.imag.hex()}", _complex_from),
    bytes: (bytes.hex, bytes.fromhex),
    bytearray: (bytearray.hex, bytearray.fromhex),
    Decimal: (str, Decimal),
    Fraction: (str, Fraction),
    datetime.datetime: (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (datetime.time.isoformat, datetime.time.fromisoformat),
    datetime.timedelta: (lambda value: f"{value.days} {value.seconds} {value.microseconds}", _timedelta_from),
}
SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset, deque)
MAPPINGS: tuple[Any, ...] = (dict, OrderedDict, Counter)
VIEWS: dict[type, Callable[[list[Any]], Any]] = {
    type({}.keys()): lambda items: dict.fromkeys(items).keys(),
    type({}.values()): lambda items: dict(enumerate(items)).values(),
    type({}.items()): lambda items: dict(items).items(),
}
ITERATORS: tuple[type, ...] = (
    *(types.GeneratorType, map, filter, zip, enumerate, reversed),
    *{type(iter(kind())) for kind in (list, tuple, str, bytes, set, dict, bytearray)},
    *(type(iter(range(0))), type(iter(range(1 << 99))), type(iter({}.values())), type(iter({}.items()))),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type)),
)
TYPES = {kind.__name__: kind for kind in (*AS_TEXT, *SEQUENCES, *MAPPINGS, str, bool, range, type(None))}
NAMED: dict[str, Any] = {**TYPES, **{kind.__name__: kind for kind in VIEWS}}
OF_CONTENT: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (dict, lambda value: dict(dict.items(value))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (str, str.__str__),
    (int, int.__pos__),
    (float, float.__pos__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)
"""Converts an instance of a subclass to the builtin type with the same content, without calling methods of the
subclass."""


def encode(value: Any, other: Callable[[Any], Any]) -> Any:
    """Returns `value` as JSON data. `other` encodes parts that are not data, or raises NotDataError."""
    left = [MOST_PARTS, MOST_CHARACTERS]

    def text(characters: str) -> str:
        left[1] -= len(characters)
        if left[1] < 0:
            raise NotDataError(f"a value of more than {MOST_CHARACTERS} characters")
        return characters

    def items_of(parts: Iterable[Any], depth: int) -> list[Any]:
        return [walk(part, depth + 1) for part in parts]

    def iterator(part: Iterator[Any], depth: int) -> Any:
        items: list[Any] = []
        try:
            items.extend(itertools.islice(part, MOST_ITEMS + 1))
        except Exception as error:
            return {"iterator": [items_of(items, depth), raised(error)]}
        end = raised(NotDataError(f"an iterator of more than {MOST_ITEMS} items")) if len(items) > MOST_ITEMS else None
        return {"iterator": [items_of(items[:MOST_ITEMS], depth), end]}

    def subclass(part: Any, depth: int) -> Any:
        own = type(part)  # not `part.__class__`, which a class may override
        fields = getattr(own, "_fields", None)
        if issubclass(own, tuple) and isinstance(fields, tuple):
            return {"namedtuple": [own.__name__, list(fields), items_of(tuple.__iter__(part), depth)]}
        for kind, content in OF_CONTENT:
            if issubclass(own, kind):
                return walk(content(part), depth)
        return other(part)

    def walk(part: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0 or depth > DEEPEST:
            raise NotDataError(f"a value of more than {MOST_PARTS} parts, or nested more than {DEEPEST} deep")
        kind = type(part)
        if part is None or kind is bool or (kind is int and -(1 << 53) < part < 1 << 53):
            data = part
        elif kind is str:
            data = text(part)
        elif kind in AS_TEXT:
            data = {kind.__name__: text(AS_TEXT[kind][0](part))}
        elif kind in SEQUENCES or kind in VIEWS:
            data = {kind.__name__: items_of(part, depth)}
        elif kind in MAPPINGS:
            data = {kind.__name__: [items_of(pair, depth) for pair in kind.items(part)]}
        elif kind is range:
            data = {"range": items_of((part.start, part.stop, part.step), depth)}
        elif kind is type and part in TYPES.values():
            data = {"type": part.__name__}
        elif kind in ITERATORS:
            data = iterator(part, depth)
        else:
            data = subclass(part, depth)
        return data

    try:
        return walk(value, 0)
    except (ValueError, RecursionError) as error:  # a Fraction with more digits than Python converts to text
        raise NotDataError(str(error)) from error


def decode(data: Any, other: Callable[[str, Any], Any]) -> Any:
    """Returns the value of JSON data. `other` decodes tags that `encode` itself does not write."""

    def walk(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        [(tag, content)] = part.items()
        kind: Any = NAMED.get(tag)
        if kind in AS_TEXT:
            value = AS_TEXT[kind][1](content)
        elif kind in MAPPINGS:
            value = kind({walk(key): walk(item) for key, item in content})
        elif kind in VIEWS:
            value = VIEWS[kind]([walk(item) for item in content])
        elif kind is range:
            value = range(*map(walk, content))
        elif kind in SEQUENCES:
            value = kind(walk(item) for item in content)
        elif tag == "type":
            value = TYPES[content]
        elif tag == "iterator":
            value = _iterate([walk(item) for item in content[0]], content[1])
        elif tag == "namedtuple":
            value = namedtuple(content[0], content[1], rename=True)(*map(walk, content[2]))
        else:
            value = other(tag, content)
        return value

    return walk(data)


def _iterate(items: list[Any], end: Any) -> Iterator[Any]:
    yield from items
    if end is not None:
        raise exception(end)


def raised(error: BaseException) -> list[Any]:
    """Returns the names of the builtin base classes of an exception, nearest first, and its text."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    return [[kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"], text[:300]]


class Raised:
    """Marks exceptions that the candidate raised."""


def exception(data: Any) -> Exception:
    """Returns an exception of the nearest builtin class described by `raised`."""
    import builtins

    names, text = data
    for name in names:
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError):
            return type(kind.__name__, (kind, Raised), {})(text)  # type: ignore[no-any-return]
    return NotDataError(str(text))


def pack(data: Any) -> str:
    """Returns JSON data as compact text."""
    return binascii.b2a_base64(zlib.compress(json.dumps(data).encode(), 1), newline=False).decode()


def unpack(text: str) -> Any:
    """Returns the data that `pack` wrote. The text may be forged: raises ValueError or RecursionError if it is
    invalid."""
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(binascii.a2b_base64(text), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return json.loads(raw)
