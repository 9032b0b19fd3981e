"""Parses the YAML of a protocol into plain data and records the line of every key, for error messages.

YAML 1.2: `6e-4` is a number, `on` is a string. The file is parsed into nodes, which have line numbers and make it
possible to report all duplicate keys together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import Problem, ProtocolError

KeyPath = tuple[str | int, ...]

_MERGE = "tag:yaml.org,2002:merge"
_DATE = "tag:yaml.org,2002:timestamp"
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq"))
_LARGEST_FILE = 250_000
_MOST_VALUES = 8_000
"""Limit on the keys and values of a file, before and after expansion of aliases and `<<`."""
_DEEPEST = 64
_MOST_BITS = 256
_SHOWN = 60


def key_text(path: KeyPath) -> str:
    """Returns a key path as text: `methods.rollback[4].fraction`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, kw_only=True)
class Source:
    """A parsed protocol file.

    data: the top-level mapping. lines: the line of each key and item, from 1. problems: found while parsing, such as
    duplicate keys.
    """

    name: str
    text: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...]

    def line_of(self, path: KeyPath) -> int:
        """Returns the line of a key, or of its nearest parent in the file."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return 0


def read_source(path: Path) -> Source:
    """Parses a protocol file. Raises ProtocolError if it cannot be read or is not a mapping."""
    name = str(path)

    def fail(message: str, hint: str = "", line: int = 0) -> ProtocolError:
        return ProtocolError(name, [Problem(line=line, key="", message=message, hint=hint)])

    try:
        if path.is_dir():
            raise fail("is a folder, not a protocol file", "name the YAML file in it")
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise fail("there is no such file", "give the path of a YAML file") from None
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror or error}") from None
    if len(content) > _LARGEST_FILE:
        raise fail(f"is larger than {_LARGEST_FILE:,} bytes", "a protocol is a short YAML text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise fail("is not text in UTF-8", "a protocol is a YAML text; save it as UTF-8", line) from None
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _BoundedComposer
    too_much = "has too many keys and values", f"the limit is {_MOST_VALUES:,}, with aliases expanded"
    try:
        root = yaml.compose(text)
    except _TooManyValues as error:
        raise fail(*too_much, error.line) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = str(getattr(error, "problem", None) or str(error).splitlines()[0])
        hint = "check the indentation, brackets and quotes on this line and the one above"
        raise fail(f"is not valid YAML: {message}", hint, mark.line + 1 if mark is not None else 0) from None
    except (_TooDeep, RecursionError):
        raise fail("is nested too deeply", f"{_DEEPEST} levels are read") from None
    if root is None:
        raise fail("is empty", "a protocol has at least schema, name, model, domains and methods")
    if not isinstance(root, MappingNode):
        raise fail("is not a mapping of keys to values", "start it with `schema: 1`", root.start_mark.line + 1)
    reader = _NodeReader(yaml)
    try:
        data = reader.mapping(root, (), ())
    except _TooManyValues as error:
        raise fail(*too_much, error.line) from None
    except (_TooDeep, RecursionError):
        raise fail("is nested too deeply", f"{_DEEPEST} levels are read") from None
    return Source(name=name, text=text, data=data, lines=reader.lines, problems=tuple(reader.problems))


class _TooManyValues(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


class _TooDeep(Exception):
    pass


class _BoundedComposer(Composer):
    """Aborts parsing when the limits on size or depth are exceeded."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MOST_VALUES:
            raise _TooManyValues(self.parser.peek_event().start_mark.line + 1)
        if self._depth > _DEEPEST:
            raise _TooDeep
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _shown(value: object) -> str:
    """Returns the repr of a value for a message, truncated if it is long."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


class _NodeReader:
    """Converts nodes to JSON-like data; records lines and faults such as duplicate keys."""

    def __init__(self, yaml: YAML) -> None:
        self._yaml = yaml
        self.lines: dict[KeyPath, int] = {}
        self.problems: dict[Problem, None] = {}
        self._values = 0

    def _problem(self, node: Node, path: KeyPath, message: str, hint: str = "") -> None:
        problem = Problem(line=node.start_mark.line + 1, key=key_text(path), message=message, hint=hint)
        self.problems[problem] = None  # a fault in an anchor is found again at each alias

    def value(self, node: Node, path: KeyPath, above: tuple[int, ...]) -> Any:
        """Returns the data of a node. above: the ids of its ancestors, to detect an anchor that contains itself."""
        self._values += 1
        if self._values > _MOST_VALUES:
            raise _TooManyValues(node.start_mark.line + 1)
        if len(above) > _DEEPEST:
            raise _TooDeep
        tag = str(node.tag)
        if id(node) in above:
            self._problem(node, path, "an anchor contains itself")
        elif tag == _DATE:
            return node.value  # JSON has no dates
        elif tag not in _PLAIN:
            self._problem(
                node, path, f"the YAML tag {_shown(tag)} is not supported", "write plain values, lists and mappings"
            )
        elif isinstance(node, MappingNode):
            return self.mapping(node, path, (*above, id(node)))
        elif isinstance(node, SequenceNode):
            return self._sequence(node, path, (*above, id(node)))
        else:
            return self._scalar(node, path)
        return None

    def _sequence(self, node: SequenceNode, path: KeyPath, above: tuple[int, ...]) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.lines.setdefault((*path, index), item.start_mark.line + 1)
            items.append(self.value(item, (*path, index), above))
        return items

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        try:
            data = self._yaml.constructor.construct_object(node)
        except (ValueError, YAMLError):
            self._problem(node, path, f"{_shown(node.value)} is not a valid value", "put it in quotes")
            return None
        if isinstance(data, int) and data.bit_length() > _MOST_BITS:
            self._problem(node, path, f"{_shown(node.value)} is too large a number")
            return None
        if isinstance(data, float) and not math.isfinite(data):
            self._problem(node, path, f"{_shown(node.value)} is not a finite number")
            return None
        return data

    def mapping(self, node: MappingNode, path: KeyPath, above: tuple[int, ...]) -> dict[str, Any]:
        """Returns the data of a mapping; keys merged by `<<` come after its own."""
        data: dict[str, Any] = {}
        for key, value in node.value:
            if str(key.tag) == _MERGE:
                continue
            if not isinstance(key, ScalarNode):
                self._problem(key, path, "a key is not a scalar")
                continue
            name = str(key.value)
            at = (*path, name)
            if name in data:
                self._problem(key, at, f"is written twice, first on line {self.lines[at]}", "keep one of the two")
                continue
            self.lines.setdefault(at, key.start_mark.line + 1)  # a merged key does not replace the line of its own key
            data[name] = self.value(value, at, above)
        for merged in self._merged(node, path, above):
            for name, item in merged.items():
                data.setdefault(name, item)
        return data

    def _merged(self, node: MappingNode, path: KeyPath, above: tuple[int, ...]) -> Iterator[dict[str, Any]]:
        for key, value in node.value:
            if str(key.tag) != _MERGE:
                continue
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                merged = self.value(source, path, above)
                if isinstance(merged, dict):
                    yield merged
                else:
                    self._problem(key, path, "`<<` needs a mapping")
