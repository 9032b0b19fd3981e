"""Resolves a plugin's name and config keys to a `PluginRef`, with a validated config and defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from harness.errors import HarnessError, PluginError
from harness.plugin.config import Config, Unkeyed, faults_in
from harness.plugin.nested_reward import RewardUse
from harness.plugin.paths import marked_paths, seen_from
from harness.plugin.registry import RegisteredPlugin, Registry
from harness.plugin.specs import Spec
from harness.protocol.faults import Faults, describe, validate
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.source import KeyPath

AGREED_NEEDS = {"executes-code": "executes code that a model wrote"}
"""Needs that a protocol must list under `allow`. The others depend on the machine and are checked at run start."""


class PluginUses:
    """Resolves the plugins of one protocol and records faults.

    folder: the base of relative paths in configs; None for the working directory.
    """

    def __init__(self, registry: Registry, faults: Faults, allow: Collection[str], folder: Path | None = None) -> None:
        self._folder = folder
        self.registry = registry
        self._faults = faults
        self._allow = frozenset(allow)

    def find(self, kind: str, name: object, at: KeyPath) -> RegisteredPlugin | None:
        """Returns the plugin that the key at `at` names; if there is none, records a fault and returns None."""
        if not isinstance(name, str) or not name:
            self._faults.add(at, f"should be the name of a {kind}", f"`harness plugins list` shows every {kind}")
            return None
        try:
            return self.registry.find(kind, name)
        except PluginError as error:
            self._faults.add_plugin_error(at, error)
            return None

    def find_of_step(self, kind: str, step: Mapping[str, Any], at: KeyPath) -> RegisteredPlugin | None:
        """Returns the plugin that a step names with `with`; if there is none, records a fault and returns None."""
        if "with" in step:
            return self.find(kind, step["with"], (*at, "with"))
        names = ", ".join(sorted({found.name for found in self.registry.all(kind)})) or "none"
        self._faults.add((*at, "with"), "is missing", f"name a {kind} plugin; available: {names}")
        return None

    def config_type(self, found: RegisteredPlugin, at: KeyPath) -> type[BaseModel] | None:
        """Returns the config type; if it cannot be imported, records a fault and returns None."""
        try:
            return found.config_type()
        except PluginError as error:
            self._faults.add_plugin_error(at, error)
            return None

    def use(
        self,
        kind: str,
        name: object,
        config: Mapping[str, Any],
        *,
        at: KeyPath,
        place: Callable[[str], KeyPath],
        beside: Collection[str] = (),
    ) -> PluginRef | None:
        """Resolves a plugin and its config. Records all faults; returns None if it cannot be resolved.

        at: the key that names the plugin. place: returns the path of a config key. beside: other keys that are allowed
        in the mapping, for hints.
        """
        found = self.find(kind, name, at)
        if found is None:
            return None
        assert isinstance(found.spec, Spec)
        for need in sorted(found.spec.needs - self._allow):
            if need in AGREED_NEEDS:
                hint = f"add `allow: [{need}]` to the protocol if that is safe where it will run"
                self._faults.add(at, f"the {kind} {name!r} {AGREED_NEEDS[need]}", hint)
        model = self.config_type(found, at)
        if model is None:
            return None
        try:
            read = validate(model, config)
            filled = dumped(read)
        except ValidationError as error:
            for path, message, hint in describe(model, error, beside=beside):
                self._faults.add((*place(str(path[0])), *path[1:]) if path else at, message, hint)
            return None
        except ValueError as error:
            self._faults.add(at, f"the config of the {kind} {name!r} cannot be written as JSON: {error}", plugin=True)
            return None
        try:
            found.check_load()
        except PluginError as error:
            self._faults.add_plugin_error(at, error, plugin=False)
            return None
        needs = set(found.spec.needs)
        whole, unkeyed = self._resolved(read, filled, place, needs)
        self._note_unmet(model, whole, found, at, place)
        return PluginRef(
            kind=kind,
            name=str(name),
            identity=found.identity,
            config=whole,
            needs=frozenset(needs),
            unkeyed=tuple(unkeyed),
            methods=dict(read.reads_methods()) if isinstance(read, Config) else {},
        )

    def _note_unmet(
        self,
        model: type[BaseModel],
        config: Mapping[str, Any],
        found: RegisteredPlugin,
        at: KeyPath,
        place: Callable[[str], KeyPath],
    ) -> None:
        """Records what is missing on this machine according to the plugin's config."""
        try:
            for problem in faults_in(validate(model, config)):
                parts = problem.key.split(".") if problem.key else []
                path = (*place(parts[0]), *parts[1:]) if parts else at
                self._faults.add_unmet(path, problem)
        except (Exception, SystemExit) as error:
            fault = PluginError(f"faults() of its config raised {type(error).__name__}: {error}", where=found.identity)
            self._faults.add_plugin_error(at, fault)

    def built(self, use: PluginRef, at: KeyPath) -> Any | None:
        """Builds the plugin; if this fails, records a fault and returns None."""
        try:
            return instance_of(use, self.registry)
        except PluginError as error:
            self._faults.add_plugin_error(at, error)
        except ValidationError:  # keys of a nested reward, which are reported at their own path
            return None
        except HarnessError as error:
            self._faults.add(at, f"{error.where}: {error.message}" if error.where else error.message, error.hint)
        return None

    def _resolved(
        self, config: BaseModel, data: Mapping[str, Any], place: Callable[[str], KeyPath], needs: set[str]
    ) -> tuple[dict[str, Any], list[KeyPath]]:
        """Returns `data`, the JSON of `config`, with resolved rewards, and the paths that keys do not cover.

        Adds the needs of the rewards to `needs`.
        """
        whole: dict[str, Any] = {}
        unkeyed: list[KeyPath] = []
        fields = type(config).model_fields
        for key, field in _field_names(type(config)).items():
            if key not in data:
                continue  # a field that is excluded from serialization
            value = marked_paths(self._folder, data[key], fields[field].metadata)
            whole[key], inside = self._with_rewards(getattr(config, field), value, place(key), needs)
            unkeyed += [(key, *path) for path in (*_marked(fields[field], data[key]), *inside)]
        return whole, unkeyed

    def _with_rewards(self, value: Any, data: Any, at: KeyPath, needs: set[str]) -> tuple[Any, list[KeyPath]]:
        """Does the same as `_resolved` for a value of any type at the key `at` of the protocol."""
        if isinstance(value, RewardUse):
            inner = self.use("reward", value.use, value.config, at=at, place=lambda key: (*at, key), beside=["use"])
            if inner is None:
                return data, []
            needs.update(inner.needs)
            resolved = {"use": inner.name, "config": dict(inner.config), "identity": inner.identity}
            return resolved, [
                ("use",),
                *(("config", *path) for path in inner.unkeyed),
            ]  # the identity includes the name
        if isinstance(value, BaseModel) and isinstance(data, dict):
            return self._resolved(value, data, lambda key: (*at, key), needs)
        if isinstance(value, Mapping) and isinstance(data, dict):
            pairs = [(key, before, item) for (key, item), before in zip(data.items(), value.values(), strict=True)]
            mapped, unkeyed = self._each(pairs, at, needs)
            return dict(mapped), unkeyed
        if isinstance(value, list | tuple) and isinstance(data, list):
            items = [(index, before, item) for index, (before, item) in enumerate(zip(value, data, strict=True))]
            listed, unkeyed = self._each(items, at, needs)
            return [item for _, item in listed], unkeyed
        return (seen_from(self._folder, data) if isinstance(value, Path) else data), []

    def _each(
        self, items: Sequence[tuple[str | int, Any, Any]], at: KeyPath, needs: set[str]
    ) -> tuple[list[tuple[str | int, Any]], list[KeyPath]]:
        """Resolves each (key or index, value, data) of a mapping or list."""
        resolved: list[tuple[str | int, Any]] = []
        unkeyed: list[KeyPath] = []
        for key, value, data in items:
            item, inside = self._with_rewards(value, data, (*at, key), needs)
            resolved.append((key, item))
            unkeyed += [(key, *path) for path in inside]
        return resolved, unkeyed


def _marked(field: FieldInfo, data: Any) -> list[KeyPath]:
    """Returns the relative paths that a field's `Unkeyed` marks exclude: the field itself or entries of its mapping."""
    paths: list[KeyPath] = []
    for mark in field.metadata:
        if isinstance(mark, Unkeyed):
            entries = data if isinstance(data, Mapping) else {}
            paths += [()] if mark.entries is None else [(key,) for key in entries if key in mark.entries]
    return paths


def _field_names(model: type[BaseModel]) -> dict[str, str]:
    """Returns the field names of a model by their keys in a protocol."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


def dumped(config: BaseModel) -> dict[str, Any]:
    """Returns a config as JSON data, with sorted sets. Raises ValueError for infinity and NaN."""
    data = _ordered(config.model_dump(mode="json", by_alias=True), config.model_dump(by_alias=True))
    json.dumps(data, allow_nan=False)
    return dict(data)


def _ordered(data: Any, original: Any) -> Any:
    """Returns `data` with the elements of sets sorted, because their order differs between processes."""
    if isinstance(original, dict) and isinstance(data, dict):
        return {
            key: _ordered(value, before) for (key, value), before in zip(data.items(), original.values(), strict=True)
        }
    if isinstance(original, set | frozenset) and isinstance(data, list):
        return sorted(data, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(original, list | tuple) and isinstance(data, list):
        return [_ordered(value, before) for value, before in zip(data, original, strict=True)]
    return data


def instance_of(use: PluginRef, registry: Registry) -> Any:
    """Builds the plugin from its config. Raises PluginError if this fails."""
    return registry.build(registry.find(use.kind, use.name), config_of(use, registry))


def config_of(use: PluginRef, registry: Registry) -> BaseModel:
    """Returns the config of the plugin. Raises PluginError if the config does not survive a JSON round trip."""
    found = registry.find(use.kind, use.name)
    model = found.config_type()
    try:
        return validate(model, use.config)
    except ValidationError as error:
        raise PluginError(
            f"the config {dict(use.config)} is invalid: {error.errors()[0]['msg']}",
            where=f"{found.distribution} {found.version}: {use.kind} {use.name!r}",
            hint="defaults of the config must match the types of its fields: report this to the plugin's authors",
        ) from None
