"""The observers that a run was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.errors import UsageError
from harness.plugin.config import faults_in
from harness.plugin.observer_interface import Observer
from harness.plugin.registry import Registry
from harness.protocol import config_of, instance_of
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.single_plugin import resolve_plugin

VARIABLE = "HARNESS_OBSERVERS"
"""The environment variable with the names of observers, separated by commas."""


def chosen_observers(
    declared: Iterable[PluginRef], names: Iterable[str], registry: Registry, environment: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Returns the configs of the observers by name: those of the protocol, then those of the command and of
    `HARNESS_OBSERVERS`, which have their default settings.

    Raises PluginError for an unknown name, UsageError for an observer that lacks a package.
    """
    found = {use.name: dict(use.config) for use in declared}
    stated = [name.strip() for name in environment.get(VARIABLE, "").split(",") if name.strip()]
    for name in [*names, *stated]:
        if name in found:
            continue
        use = resolve_plugin(registry, "observer", name)
        for problem in faults_in(config_of(use, registry)):
            raise UsageError(problem.message, where=f"the observer {name}", hint=problem.hint)
        found[name] = dict(use.config)
    return found


def builders(configs: Mapping[str, Mapping[str, Any]], registry: Registry) -> dict[str, Callable[[], Observer]]:
    """Returns a function for each observer that builds it, by name."""

    def builder(name: str, config: Mapping[str, Any]) -> Callable[[], Observer]:
        use = PluginRef(kind="observer", name=name, identity="", config=config)
        return lambda: instance_of(use, registry)

    return {name: builder(name, config) for name, config in configs.items()}
