"""From a plugin's name and the keys under it to a `PluginUse`: found, config validated, defaults filled in."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError, PluginError
from harness.nodes import PluginUse
from harness.protocol.faults import Faults, describe, validate
from harness.protocol.source import KeyPath
from harness.registry import Registered, Registry
from harness.reward_use import RewardUse
from harness.specs import Spec

AGREED_NEEDS = {"executes-code": "executes code that a model wrote"}
"""Needs that a protocol has to agree to under `allow`; the others are the machine's, checked when a run starts."""


class PluginUses:
    """Resolves the plugins of one protocol and notes what is wrong with them."""

    def __init__(self, registry: Registry, faults: Faults, allow: Collection[str]) -> None:
        self.registry = registry
        self._faults = faults
        self._allow = frozenset(allow)

    def find(self, kind: str, name: object, at: KeyPath) -> Registered | None:
        """Returns the plugin that the key at `at` names; notes a fault and returns None where there is none."""
        if not isinstance(name, str) or not name:
            self._faults.add(at, f"should be the name of a {kind}", f"`harness plugins list` shows every {kind}")
            return None
        try:
            return self.registry.find(kind, name)
        except PluginError as error:
            self._faults.add_plugin_error(at, error)
            return None

    def config_type(self, found: Registered, at: KeyPath) -> type[BaseModel] | None:
        """Returns the config's type; notes a fault and returns None where the plugin cannot be imported."""
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
    ) -> PluginUse | None:
        """Returns the plugin in use. at: the key that names it. place: the path of each of its config's keys.

        Notes every fault; returns None where there was one that leaves nothing to use.
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
            for path, message, hint in describe(model, error):
                self._faults.add((*place(str(path[0])), *path[1:]) if path else at, message, hint)
            return None
        except ValueError as error:
            self._faults.add(at, f"the config of the {kind} {name!r} cannot be written as JSON: {error}", plugin=True)
            return None
        needs = set(found.spec.needs)
        whole = {
            key: self._with_rewards(getattr(read, field), filled[key], place(key), needs)
            for key, field in _field_names(model).items()
        }
        return PluginUse(kind=kind, name=str(name), identity=found.identity, config=whole, needs=frozenset(needs))

    def built(self, use: PluginUse, at: KeyPath) -> Any | None:
        """Returns the object that the plugin loads into; notes a fault and returns None where it cannot be built."""
        try:
            return instance_of(use, self.registry)
        except PluginError as error:
            self._faults.add_plugin_error(at, error)
        except HarnessError as error:
            self._faults.add(at, f"{error.where}: {error.message}" if error.where else error.message, error.hint)
        return None

    def _with_rewards(self, value: Any, data: Any, at: KeyPath, needs: set[str]) -> Any:
        """Returns `data`, the JSON of `value`, with every reward in it resolved: identity, config after defaults.

        Adds to `needs` those of the rewards.
        """
        if isinstance(value, RewardUse):
            inner = self.use("reward", value.use, value.config, at=at, place=lambda key: (*at, key))
            if inner is None:
                return data
            needs.update(inner.needs)
            return {"use": inner.name, "config": dict(inner.config), "identity": inner.identity}
        if isinstance(value, BaseModel) and isinstance(data, dict):
            names = _field_names(type(value))
            return {
                key: self._with_rewards(getattr(value, names[key]), item, (*at, key), needs) if key in names else item
                for key, item in data.items()
            }
        if isinstance(value, Mapping) and isinstance(data, dict):
            return {
                key: self._with_rewards(before, item, (*at, key), needs)
                for (key, item), before in zip(data.items(), value.values(), strict=True)
            }
        if isinstance(value, list | tuple) and isinstance(data, list):
            pairs = enumerate(zip(value, data, strict=True))
            return [self._with_rewards(before, item, (*at, index), needs) for index, (before, item) in pairs]
        return data


def _field_names(model: type[BaseModel]) -> dict[str, str]:
    """Returns the names of a model's fields by the keys that a person writes."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


def dumped(config: BaseModel) -> dict[str, Any]:
    """Returns a config as JSON data, sets in a fixed order. Raises ValueError for what JSON has not: infinity."""
    data = _ordered(config.model_dump(mode="json", by_alias=True), config.model_dump(by_alias=True))
    json.dumps(data, allow_nan=False)
    return dict(data)


def _ordered(data: Any, original: Any) -> Any:
    """Returns `data` with the lists that were sets sorted: their order changes from process to process."""
    if isinstance(original, dict) and isinstance(data, dict):
        return {
            key: _ordered(value, before) for (key, value), before in zip(data.items(), original.values(), strict=True)
        }
    if isinstance(original, set | frozenset) and isinstance(data, list):
        return sorted(data, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(original, list | tuple) and isinstance(data, list):
        return [_ordered(value, before) for value, before in zip(data, original, strict=True)]
    return data


def instance_of(use: PluginUse, registry: Registry) -> Any:
    """Returns the object that the plugin loads into, built from the config. Raises PluginError where it cannot be."""
    found = registry.find(use.kind, use.name)
    model = found.config_type()
    try:
        config = validate(model, use.config)
    except ValidationError as error:
        raise PluginError(
            f"the config {dict(use.config)} is refused: {error.errors()[0]['msg']}",
            where=f"{found.distribution} {found.version}: {use.kind} {use.name!r}",
            hint="the config's own defaults have to be of its fields' types: tell the plugin's authors",
        ) from None
    return registry.build(found, config)
