"""What follows from the definitions of results alone, without a plan and its plugins: keys, lineages, methods.

A definition is the content of a result's key, as JSON data. It keeps the form of the version that made it, so these
functions read definitions of any version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness._util.content_key import content_key

PARENT_PARTS = frozenset({"parent", "lineage", "checkpoint", "base", "experts", "training"})
"""The fields of a definition that are keys of other results."""

Definition = Mapping[str, Any]


def key_of(definition: Definition) -> str:
    """Returns the key of the result with this definition."""
    return content_key(**definition)


def start_of(definition: Definition) -> str | None:
    """Returns the key of the checkpoint that a step starts from, None for the base model."""
    if "lineage" in definition:
        return str(definition["lineage"][-1])
    start = definition.get("parent") or definition.get("base")
    return None if start is None else str(start)


def lineage_of(key: str, definition_of: Callable[[str], Definition]) -> tuple[str, ...]:
    """Returns the keys of the checkpoints from the base to the checkpoint `key`, in order."""
    keys = [key]
    while (start := start_of(definition_of(keys[-1]))) is not None:
        keys.append(start)
    return tuple(reversed(keys))


def step_definition(definition: Definition) -> dict[str, Any]:
    """Returns the definition of a step without its parents, its seed and the version of the harness."""
    left_out = PARENT_PARTS | {"harness", "seed"}
    return {part: value for part, value in definition.items() if part not in left_out}


def method_definition(lineage: Sequence[str], definition_of: Callable[[str], Definition]) -> list[Any]:
    """Returns the definitions of a lineage's steps as JSON data, without seeds and the version of the harness."""
    steps: list[Any] = []
    for key in lineage:
        definition = definition_of(key)
        steps.append(step_definition(definition))
        for expert in definition.get("experts", ()):
            steps.append(method_definition(lineage_of(expert, definition_of), definition_of))
    return steps


def method_digest(lineage: Sequence[str], definition_of: Callable[[str], Definition]) -> str:
    """Returns a digest of a method without its seed: model, plugins with versions, configs and data."""
    return content_key(steps=method_definition(lineage, definition_of))


def run_key(
    protocol: str,
    *,
    domains: Iterable[str],
    results: Iterable[str],
    methods: Iterable[tuple[str, int, Sequence[str]]],
    columns: Mapping[str, bool],
) -> str:
    """Returns the key of a run.

    results: the keys of all nodes. methods: name, seed and lineage of each. columns: the evaluation-only columns, and
    whether each is in the average, which no result depends on.
    """
    counted = {"columns": dict(sorted(columns.items()))} if columns else {}
    return content_key(
        protocol=protocol,
        domains=sorted(domains),
        nodes=sorted(results),
        methods=sorted([name, seed, *lineage] for name, seed, lineage in methods),
        **counted,
    )
