"""JSON Schemas as Markdown tables: one row for each key, those of nested sections by their dotted names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
WORDS = {"string": "text", "object": "mapping", "boolean": "true or false", "null": "null"}
LONGEST_DEFAULT = 60
REQUIRED = "required"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a config. default: as it is written in a protocol; empty where it is computed
    or long."""

    name: str
    type: str
    default: str
    description: str


def keys_of(schema: Schema) -> list[Key]:
    """Returns the keys of an object's schema, each nested section's keys behind the section."""
    return list(_keys(schema, schema.get("$defs", {}), "", None))


def key_table(keys: Iterable[Key]) -> str:
    """Returns the Markdown table of `keys`, ending in a line break; a sentence where there are none."""
    rows = [(f"`{key.name}`", key.type, _shown_default(key.default), key.description) for key in keys]
    return table(("key", "type", "default", "meaning"), rows) if rows else "No keys.\n"


def _shown_default(default: str) -> str:
    return default if default in ("", REQUIRED) else f"`{default}`"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table, ending in a line break."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _keys(schema: Schema, definitions: Schema, prefix: str, defaults: Any) -> Iterator[Key]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        section = _section(field, definitions)
        default = field.get("default")
        if isinstance(defaults, Mapping) and name in defaults:
            default = defaults[name]
        yield Key(
            name=prefix + name,
            type=_type(field, definitions),
            default=REQUIRED if name in required else _default(field, default, section),
            description=field.get("description", "") or (section or {}).get("description", ""),
        )
        if section is not None:
            yield from _keys(section, definitions, f"{prefix}{name}.", default)
        others = field.get("additionalProperties")
        named = _resolved(others, definitions) if isinstance(others, Mapping) and section is None else {}
        if named.get("properties"):  # a mapping of names to sections
            yield from _keys(named, definitions, f"{prefix}{name}.NAME.", None)


def _section(field: Schema, definitions: Schema) -> Schema | None:
    """Returns the object's schema that a key's value has, if there is one with named keys."""
    for option in field.get("anyOf", [field]):
        resolved = _resolved(option, definitions)
        if resolved.get("type") == "object" and resolved.get("properties"):
            return resolved
    return None


def _default(field: Schema, default: Any, section: Schema | None) -> str:
    if "default" not in field and default is None:
        return ""
    text = default if default and isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    return "" if (section is not None and default is not None) or len(text) > LONGEST_DEFAULT else text


def _resolved(field: Schema, definitions: Schema) -> Schema:
    name = str(field.get("$ref", "")).rpartition("/")[2]
    return definitions.get(name, field)


def _type(field: Schema, definitions: Schema) -> str:
    field = _resolved(field, definitions)
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(option, definitions) for option in field["anyOf"]))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    words = str(field.get("type", "any value"))
    if words == "array":
        words = f"list of {_type(field['items'], definitions)}" if "items" in field else "list"
    bounds = " and ".join(f"{sign} {_number(field[name])}" for name, sign in BOUNDS if name in field)
    return f"{WORDS.get(words, words)} {bounds}".rstrip()


def _number(value: float) -> str:
    return "2^32" if value == 2**32 else f"{value}"
