"""Collects all problems of a protocol, with the line, the key and close matches."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.errors import ExitCode, PluginError, Problem, ProtocolError
from harness.protocol.source import KeyPath, Source, key_text

Model = TypeVar("Model", bound=BaseModel)


class ProtocolPluginError(ProtocolError, PluginError):
    """A ProtocolError in which all problems are due to plugins: unknown, missing or broken. Exit code 3."""

    exit_code = ExitCode.PLUGIN


class Faults:
    """Collects the problems of one source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._problems: dict[Problem, bool] = dict.fromkeys(source.problems, False)
        self._unmet: dict[Problem, None] = {}

    def add(self, path: KeyPath, message: str, hint: str = "", *, plugin: bool = False) -> None:
        """Records a problem with the key at `path`. plugin: the installed plugins, not the file, are at fault."""
        problem = Problem(line=self._source.line_of(path), key=key_text(path), message=message, hint=hint)
        self._problems.setdefault(problem, plugin)

    def add_found(self, path: KeyPath, found: tuple[str, str, str] | None) -> None:
        """Records what a config found wrong with its place, if anything: (key, message, hint), with the key relative to
        the step at `path`."""
        if found is not None:
            key, message, hint = found
            self.add((*path, *key.split(".")), message, hint)

    def add_plugin_error(self, path: KeyPath, error: PluginError, *, plugin: bool = True) -> None:
        """Records an error of the plugin that the key at `path` names. plugin: as for `add`."""
        message = f"{error.where}: {error.message}" if error.where else error.message
        self.add(path, message, error.hint, plugin=plugin)

    def add_unmet(self, path: KeyPath, problem: Problem) -> None:
        """Records something that is missing on this machine for the key at `path`."""
        self._unmet.setdefault(replace(problem, line=self._source.line_of(path), key=key_text(path)))

    @property
    def unmet(self) -> tuple[Problem, ...]:
        """What is missing on this machine. It does not invalidate the protocol, which may be run elsewhere."""
        return tuple(self._unmet)

    def check(self) -> None:
        """Raises ProtocolError if there are problems; ProtocolPluginError if all are due to plugins.

        The message also lists what is missing on this machine; that alone raises nothing.
        """
        if not self._problems:
            return
        plugins = all(self._problems.values()) and not self._unmet
        raised = ProtocolPluginError if plugins else ProtocolError
        raise raised(self._source.name, [*self._problems, *self._unmet])


_LISTS = frozenset({"list_type", "tuple_type", "set_type", "frozen_set_type"})


def near_match(name: str, known: Iterable[str], *, called: str = "available") -> str:
    """Returns a hint with the names close to `name`, else with all names."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"{called}: {', '.join(names) or 'none'}"


def validate(model: type[Model], data: Mapping[str, Any]) -> Model:
    """Validates `data` in strict mode: strings and booleans are not converted to numbers.

    Validates JSON, because pydantic's strict JSON mode still accepts strings and lists for paths, enums and tuples.
    Raises pydantic's ValidationError.
    """
    return model.model_validate_json(json.dumps(data), strict=True)


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns the fields of a model by their keys in a protocol (their aliases, if any)."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def describe(
    model: type[BaseModel], error: ValidationError, *, beside: Collection[str] = ()
) -> Iterable[tuple[KeyPath, str, str]]:
    """Yields (path relative to the model, message, hint) for each error of pydantic.

    beside: other keys that are allowed in the mapping, such as `use`.
    """
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        yield path, _message(detail), _hint(model, path, detail, beside)


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    for theirs, ours in (("an object", "a mapping"), ("a valid dictionary", "a mapping"), ("a valid array", "a list")):
        message = message.replace(theirs, ours)
    if message.startswith("Input should"):
        return f"{message.removeprefix('Input ')}, not {_shown(detail['input'])}"
    return message


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _hint(model: type[BaseModel], path: KeyPath, detail: ErrorDetails, beside: Collection[str]) -> str:
    holder = _model_at(model, path[:-1])
    fields = fields_of(holder) if holder is not None else {}
    if detail["type"] == "extra_forbidden" and (fields or beside):
        keys = {*fields, *(beside if len(path) == 1 else ())}
        return near_match(str(path[-1]), keys, called="valid keys")
    if detail["type"] in _LISTS and isinstance(detail["input"], str | int | float):
        return f"write a list: [{_shown(detail['input']).strip(chr(34))}]"
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        options = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")
        near = difflib.get_close_matches(detail["input"], [option.strip("'") for option in options], n=1)
        return f"did you mean {near[0]}?" if near else ""
    field = fields.get(str(path[-1])) if path else None
    return _allowed_range(field) if field is not None else ""


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Returns the nested model at `path`, or None if it is something else."""
    found: type[BaseModel] | None = model
    keyed = False
    for part in path:
        if keyed:  # `part` is a key of a mapping of models
            keyed = False
            continue
        field = fields_of(found).get(str(part)) if found is not None else None
        annotation = field.annotation if field is not None else None
        keyed = get_origin(annotation) is dict
        options = [annotation, *get_args(annotation)]
        found = next((item for item in options if isinstance(item, type) and issubclass(item, BaseModel)), None)
    return found


def _allowed_range(field: FieldInfo) -> str:
    words = []
    for bound in field.metadata:
        if isinstance(bound, Gt):
            words.append(f"above {bound.gt}")
        elif isinstance(bound, Ge):
            words.append(f"at least {bound.ge}")
        elif isinstance(bound, Lt):
            words.append(f"below {bound.lt}")
        elif isinstance(bound, Le):
            words.append(f"at most {bound.le}")
    return f"allowed: {', '.join(words)}" if words else ""
