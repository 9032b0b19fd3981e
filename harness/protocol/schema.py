"""The JSON Schema of protocol files, for editors, with the names of the installed plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.plugin.registry import Registry
from harness.protocol.shape import DEFAULT_ALGORITHM, DEFAULT_MODEL, NAME_PATTERN, ProtocolFile


def protocol_schema(registry: Registry) -> dict[str, Any]:
    """Returns the JSON Schema of protocols (draft 2020-12), with the registered names as values of `use` and `with`.

    It is meant for completion in editors. `load_protocol` checks more, such as the configs of plugins.
    """
    schema = ProtocolFile.model_json_schema(by_alias=True)
    properties = schema["properties"]
    properties["model"] |= {"minProperties": 1, "properties": {"use": _names(registry, "model", default=DEFAULT_MODEL)}}
    reward = _names(registry, "reward")
    properties["domains"] |= {
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "type": "object",
            "required": ["use"],
            "properties": {"use": _names(registry, "domain"), "reward": {"anyOf": [reward, _using(reward)]}},
        },
    }
    algorithm = _names(registry, "algorithm")
    properties["train"] |= {"properties": {"with": {**algorithm, "default": DEFAULT_ALGORITHM}}}
    engine = _names(registry, "engine")
    properties["engine"] |= {"anyOf": [engine, _using(engine), {"type": "null"}]}
    properties["methods"] |= {
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Step"}},
    }
    properties["probes"] |= {"items": _using(_names(registry, "probe"))}
    properties["metrics"] |= {
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": _using(_names(registry, "metric")),
    }
    observer = _names(registry, "observer")
    properties["observers"] |= {"items": {"anyOf": [observer, _using(observer)]}}
    schema["$defs"] |= {"Step": _step(algorithm, _names(registry, "recovery"), _names(registry, "merge"))}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Protocol"}


def _names(registry: Registry, kind: str, **further: Any) -> dict[str, Any]:
    """Returns the schema of the plugin names of a kind, including their qualified forms."""
    offers = registry.all(kind)
    names: Sequence[str] = [*(found.name for found in offers), *(found.qualified for found in offers)]
    return {"enum": list(dict.fromkeys(names)), **further} if names else {"type": "string", **further}


def _using(names: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["use"], "properties": {"use": names}}


def _step(algorithm: dict[str, Any], recovery: dict[str, Any], merge: dict[str, Any]) -> dict[str, Any]:
    weights = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "exclusiveMinimum": 0}}
    names = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
    train = {"anyOf": [{"type": "string"}, names, weights], "description": "A domain, several, or weights by domain."}
    two = {"anyOf": [{**names, "minItems": 2}, {**weights, "minProperties": 2}]}
    experts = {**two, "description": "Other methods, whose last checkpoints are merged, or weights by method."}
    return {
        "anyOf": [
            {"type": "string", "description": "A domain to train on."},
            {
                "type": "object",
                "required": ["train"],
                "properties": {"train": train, "with": algorithm, "recover": False, "merge": False},
            },
            {
                "type": "object",
                "required": ["recover", "with"],
                "properties": {
                    "recover": {
                        "anyOf": [{"type": "string"}, names],
                        "description": "A domain trained earlier; several, or `all`, for recoveries that take them.",
                    },
                    "with": recovery,
                    "train": False,
                    "merge": False,
                },
            },
            {
                "type": "object",
                "required": ["merge", "with"],
                "properties": {"merge": experts, "with": merge, "train": False, "recover": False},
            },
        ]
    }
