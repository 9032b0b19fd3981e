"""Resolves a plugin outside of a protocol, with a config from a file and from `key=value` settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.plugin.registry import Registry
from harness.protocol.faults import Faults
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses
from harness.protocol.source import Source, read_source


def resolve_plugin(
    registry: Registry,
    kind: str,
    name: str,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    allow: Collection[str] = (),
) -> PluginRef:
    """Returns the plugin with its config, including defaults.

    config: its keys, or a YAML or JSON file with them. settings: `key=value` texts, which override them; `a.b=value`
    sets a nested key; values that are not JSON are strings. allow: permitted needs, as in a protocol. Raises
    ProtocolError with all problems, PluginError if there is no such plugin.
    """
    registry.find(kind, name)
    source = _with_settings(_read(config, f"{kind} {name!r}"), settings)
    faults = Faults(source)
    use = PluginUses(registry, faults, allow).use(kind, name, source.data, at=(), place=lambda key: (key,))
    faults.check()
    assert use is not None, "a missing plugin is a fault"
    return use


def _read(config: str | Path | Mapping[str, Any] | None, label: str) -> Source:
    if isinstance(config, str | Path):
        return read_source(Path(config))
    return Source(name=label, text="", data=dict(config or {}), lines={}, problems=())


def _with_settings(source: Source, settings: Sequence[str]) -> Source:
    data: dict[str, Any] = dict(source.data)
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not key or not sign:
            raise UsageError(f"{setting!r} is not of the form KEY=VALUE", where="--set", hint="for example score=all")
        holder = data
        *above, last = key.split(".")
        for part in above:
            inner = holder.get(part)
            holder[part] = dict(inner) if isinstance(inner, dict) else {}
            holder = holder[part]
        holder[last] = _value(text)
    return replace(source, data=data)


def _value(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
