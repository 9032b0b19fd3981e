"""Dataclasses of the plugin API as Markdown tables: one row per field or property, from the class's docstrings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import harness
from schema_tables import table

Row = tuple[str, str, str, str]


def class_table(name: str) -> str:
    """Returns a heading, the summary and the table of a dataclass that `harness` exports."""
    described = getattr(harness, name)
    summary, descriptions = split_docstring(described)
    rows = [*_fields(described, descriptions), *_properties(described)]
    heads = ("field", "type", "default", "meaning")
    if not any(default for _, _, default, _ in rows):
        heads, rows = ("field", "type", "meaning"), [(field, kind, meaning) for field, kind, _, meaning in rows]
    return f"### `{name}` {{ #{name.lower()} }}\n\n{summary}\n\n{table(heads, rows)}\n"


def split_docstring(described: type[Any]) -> tuple[str, dict[str, str]]:
    """Returns the summary of a dataclass's docstring and the descriptions of its fields.

    The second paragraph describes fields as `name: description.`, one after the other.
    """
    summary, _, rest = (described.__doc__ or "").strip().partition("\n\n")
    names = "|".join(field.name for field in dataclasses.fields(described))
    parts = re.split(rf"(?:^|(?<=[.;] ))({names}): ", " ".join(rest.split()))
    return " ".join(summary.split()), {
        name: text.strip().rstrip(".;") for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _fields(described: type[Any], descriptions: dict[str, str]) -> Iterator[Row]:
    for field in dataclasses.fields(described):
        yield f"`{field.name}`", f"`{field.type}`", _default(field), descriptions.get(field.name, "")


def _default(field: dataclasses.Field[Any]) -> str:
    """Returns the default as code; empty for a required field and for functions."""
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING or callable(default):
        return ""
    return f"`{type(default).__name__}()`" if dataclasses.is_dataclass(default) else f"`{default!r}`"


def _properties(described: type[Any]) -> Iterator[Row]:
    for name, value in vars(described).items():
        if isinstance(value, property):
            meaning = " ".join(str(value.__doc__).split()).rstrip(".")
            yield f"`{name}`", f"`{value.fget.__annotations__['return']}`", "", meaning[0].lower() + meaning[1:]
