"""Loads and validates protocols."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Problem, ProtocolError, UsageError

if TYPE_CHECKING:
    from harness.plugin.hub_source import HubSource
    from harness.plugin.registry import Registry
    from harness.protocol import Protocol

ProtocolName = str | os.PathLike[str]
"""The path of a protocol file, or the name of a packaged protocol."""


def installed_plugins(registry: Registry | None) -> Registry:
    """Returns `registry`, or the registry of all installed plugins if it is None."""
    from harness.plugin.registry import Registry

    return Registry.discover() if registry is None else registry


def read_protocol(
    protocol: ProtocolName,
    registry: Registry,
    *,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
) -> Protocol:
    """Returns the validated protocol. seeds: replaces the protocol's seeds. methods: selects some of its methods.

    Raises UsageError if there is no such protocol or method, ProtocolError with all problems of the protocol.
    """
    from harness.protocol import find_protocol, load_protocol

    if isinstance(methods, str):
        raise UsageError(f"methods is the text {methods!r}", hint=f"give a list of names: [{methods!r}]")
    wrong = [seed for seed in seeds or () if not isinstance(seed, int)]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is not a seed", where="seeds", hint="give whole numbers from 0")
    return load_protocol(
        find_protocol(protocol, registry),
        registry,
        seeds=None if seeds is None else tuple(seeds),
        methods=None if methods is None else tuple(methods),
    )


def validate(protocol: ProtocolName, *, deep: bool = False, registry: Registry | None = None) -> list[Problem]:
    """Returns all problems of a protocol: keys, types, plugins and their configs, files, packages. Empty if valid.

    protocol: a path, or the name of a packaged protocol. deep: also load the model, data, tasks and rewards, as a run
    does before its first step. registry: the plugins to use; default: all installed ones. Raises UsageError if there is
    no such protocol.
    """
    try:
        check_protocol(protocol, installed_plugins(registry), deep=deep)
    except ProtocolError as error:
        return list(error.problems)
    return []


def check_protocol(protocol: ProtocolName, registry: Registry, *, deep: bool = False) -> Protocol:
    """Returns a valid protocol. Raises ProtocolError with the problems that `validate` returns."""
    read = read_protocol(protocol, registry)
    read.check_here()
    if deep:
        _check_deeply(read, registry)
    return read


def _check_deeply(protocol: Protocol, registry: Registry) -> None:
    """Performs the checks of a run before its first step; raises ProtocolError. Downloads missing models and data."""
    from harness.execution.plugin_instances import PluginInstances
    from harness.execution.readiness import faults_before_start, gathered_faults
    from harness.planning.planner import make_plan

    plan, plugins = make_plan(protocol, registry), PluginInstances(registry)
    folder = None
    with gathered_faults(str(protocol.path)) as faults:
        with faults.noted():
            folder = plugins.usable_base_folder(plan.base)
        faults.problems += faults_before_start(protocol, plan, list(plan.nodes.values()), plugins, folder)


def unpinned_sources(protocol: Protocol, registry: Registry) -> list[HubSource]:
    """Returns the Hub models and data sets that a protocol uses at a revision other than a commit."""
    from harness.planning.unpinned import unpinned_of

    domains = [use for domain in protocol.domains.values() for use in (domain.plugin, domain.reward)]
    return unpinned_of([protocol.model, *domains], registry)


def protocol_schema(registry: Registry | None = None) -> dict[str, Any]:
    """Returns the JSON Schema of protocols (draft 2020-12), with the names of plugins, for editors.

    registry: the plugins to use; default: all installed ones.
    """
    from harness.protocol.schema import protocol_schema as schema_of

    return schema_of(installed_plugins(registry))


def runs_folder(chosen: str | Path | None = None) -> Path:
    """Returns the folder of runs and store: `chosen`, else `HARNESS_RUNS`, else `runs`."""
    return Path(chosen or os.environ.get("HARNESS_RUNS") or "runs")
