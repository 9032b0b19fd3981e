"""The plugin registry: loads and validates plugins and finds them by kind and name.

Only this module uses pluggy's manager. Every plugin has its own manager, which isolates faults: a misspelt hook, a hook
wrapper or an observer that raises cannot affect other plugins.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import json
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pluggy
from packaging.utils import canonicalize_name
from pydantic import BaseModel as PydanticModel

from harness.errors import PluginError
from harness.plugin import hookspecs
from harness.plugin.discovery import (
    DISTRIBUTION,
    SELECTION_VARIABLE,
    Source,
    installed_sources,
    select,
    wanted_distributions,
)
from harness.plugin.functions import functions_of
from harness.plugin.keyed_source import harness_digest
from harness.plugin.nested_reward import RewardUse, reward_uses
from harness.plugin.registered import FailedPlugin, RegisteredPlugin, check_specs, describe_failure, modules_of
from harness.plugin.specs import AnySpec, ProtocolSpec


@dataclass(frozen=True)
class _Plugin:
    """A loaded plugin: its source, its manager and its registered specs."""

    source: Source
    manager: pluggy.PluginManager
    offers: tuple[RegisteredPlugin, ...]


class Registry:
    """The loaded plugins, their specs, and the plugins that failed to load."""

    def __init__(self, sources: Iterable[Source], *, left_out: Collection[str] = (), installed: bool = False) -> None:
        self.installed = installed
        """Whether the plugins are those that another process finds too."""
        self._plugins: list[_Plugin] = []
        self._failures: list[FailedPlugin] = []
        self._left_out = tuple(left_out)
        for source in sources:
            self._admit(source)

    @classmethod
    def discover(
        cls, *, without: Collection[str] = (), strict: bool = False, only: Collection[str] | None = None
    ) -> Registry:
        """Returns the registry of the installed plugins of the distributions `only` (default: `HARNESS_PLUGINS`),
        except those of `without`.

        Raises UsageError if either names an unknown distribution; with `strict`, PluginError if a plugin fails to load.
        """
        sources = installed_sources()
        chosen = select(sources, only=wanted_distributions() if only is None else only, without=without)
        distributions = {source.distribution for source in chosen}
        registry = cls(
            chosen, left_out=sorted({source.distribution for source in sources} - distributions), installed=True
        )
        if strict and registry.failures:
            failures = registry.failures
            lines = [f"{failed.label}: {failed.error}\n    → {failed.hint}" for failed in failures]
            raise PluginError("plugins failed to load:\n  " + "\n  ".join(lines))
        return registry

    @classmethod
    def of(cls, plugins: Iterable[tuple[str, object]]) -> Registry:
        """Returns a registry of the given (distribution, module or object) pairs, which need not be installed. For
        tests."""
        return cls(
            Source(
                distribution=distribution,
                version="0",
                entry_point=getattr(plugin, "__name__", type(plugin).__name__),
                load=lambda plugin=plugin: plugin,  # type: ignore[misc]
            )
            for distribution, plugin in plugins
        )

    def _admit(self, source: Source) -> None:
        """Loads one plugin. Any error, `sys.exit` included, is recorded as a failure of this plugin."""
        try:
            with contextlib.redirect_stdout(sys.stderr):  # a plugin's output must not mix with --json
                plugin = source.load()
                functions = list(functions_of(plugin))
                manager = _manager_of(plugin, has_functions=bool(functions))
                specs = check_specs([*_yielded(manager), *functions])
        except (Exception, SystemExit) as error:
            self._failures.append(describe_failure(source, error))
        else:
            source = replace(
                source,
                modules=(*source.modules, *modules_of(specs)),
                protocols=tuple(spec.path for spec in specs if isinstance(spec, ProtocolSpec)),
            )
            offers = tuple(RegisteredPlugin(spec=spec, source=source) for spec in specs)
            self._plugins.append(_Plugin(source, manager, offers))

    @property
    def failures(self) -> list[FailedPlugin]:
        """The plugins that failed to load."""
        return list(self._failures)

    @property
    def distributions(self) -> dict[str, str]:
        """The version of every distribution with a loaded plugin."""
        return {plugin.source.distribution: plugin.source.version for plugin in self._plugins}

    def all(self, kind: str | None = None) -> list[RegisteredPlugin]:
        """Returns the registered plugins of one kind or all, sorted by kind (in the order of `HOOKS_BY_KIND`), name and
        distribution."""
        order = list(hookspecs.HOOKS_BY_KIND)
        offers = [offer for plugin in self._plugins for offer in plugin.offers if kind in (None, offer.kind)]
        return sorted(offers, key=lambda offer: (order.index(offer.kind), offer.name, offer.distribution))

    def find(self, kind: str, name: str) -> RegisteredPlugin:
        """Returns the plugin called `name` or `distribution/name`.

        Raises PluginError if there is none, with close matches and failed plugins in the hint, or if there are several.
        """
        distribution, _, short = name.rpartition("/")
        offers = [offer for offer in self.all(kind) if offer.name == short]
        if distribution:
            wanted = canonicalize_name(distribution)
            offers = [offer for offer in offers if canonicalize_name(offer.distribution) == wanted]
        if len(offers) == 1:
            return offers[0]
        raise self._unknown(kind, name) if not offers else _ambiguous(kind, name, offers)

    def build(self, offer: RegisteredPlugin, config: PydanticModel) -> Any:
        """Builds a plugin, after the rewards in its config.

        Raises PluginError if one cannot be built, and pydantic's ValidationError for invalid keys of a reward.
        """
        self.bind_rewards(config)
        return offer.build(config)

    def bind_rewards(self, config: PydanticModel) -> None:
        """Builds the rewards in a config. Raises as `build` does."""
        for _, use in reward_uses(config):
            use.bind(self._reward)

    def _reward(self, use: RewardUse) -> tuple[Any, PydanticModel]:
        found = self.find("reward", use.use)
        config = found.config_type().model_validate_json(json.dumps(use.config), strict=True)
        return self.build(found, config), config

    def _unknown(self, kind: str, name: str) -> PluginError:
        known = [offer.qualified if "/" in name else offer.name for offer in self.all(kind)]
        near = difflib.get_close_matches(name, known, n=3)
        elsewhere = sorted({offer.kind for offer in self.all() if name in (offer.name, offer.qualified)} - {kind})
        hints = []
        if near:
            hints.append(f"did you mean {' or '.join(near)}?")
        elif elsewhere:
            hints.append(f"{name} is the name of a {' and of a '.join(elsewhere)}")
        else:
            hints.append(f"available: {', '.join(sorted(set(known))) or 'none'}")
        if self._failures:
            failed = ", ".join(failure.label for failure in self._failures)
            hints.append(f"it may come from a plugin that failed to load: {failed}; see `harness plugins list`")
        if self._left_out:
            hints.append(f"{SELECTION_VARIABLE} or --without excludes: {', '.join(self._left_out)}")
        return PluginError(f"no {kind} is called {name!r}", hint="; ".join(hints))

    def notify(self, hook_name: str, event: object) -> dict[str, str]:
        """Calls the observers of all plugins with `event`. Returns the errors of those that raised, by the label of the
        plugin; never raises."""
        errors = {}
        for plugin in self._plugins:
            try:
                getattr(plugin.manager.hook, hook_name)(event=event)
            except (Exception, SystemExit) as error:
                errors[plugin.source.label] = f"{type(error).__name__}: {error}"
        return errors

    def harness_identity(self) -> str:
        """Returns `mdrl-harness@version+src.<first 12 hex digits of the source digest>`. Computed once per process."""
        return _harness_identity()


def _manager_of(plugin: object, *, has_functions: bool) -> pluggy.PluginManager:
    """Returns a manager with one plugin. Raises PluginError for a misspelt or unmarked hook, and for a plugin without
    hooks and decorated functions."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs.RegistrationHooks)
    manager.add_hookspecs(hookspecs.ObserverHooks)
    known = {name for name in vars(manager.hook) if not name.startswith("_")}
    manager.register(plugin)
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    for name in sorted(implemented - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "harness.plugin.hookspecs lists the hooks"
        raise PluginError(f"implements {name}, which is not a hook", hint=hint)
    for name in sorted(known - implemented):
        if callable(getattr(plugin, name, None)):
            raise PluginError(f"{name} is not marked", hint="decorate it with @hookimpl from harness")
    if not implemented and not has_functions:
        raise PluginError(
            "implements no hook and has no decorated function",
            hint="decorate functions with @hookimpl (harness.plugin.hookspecs lists the hooks) or @harness.reward",
        )
    return manager


def _yielded(manager: pluggy.PluginManager) -> Iterable[tuple[str, Any]]:
    """Yields (kind, return value) of each hook implementation, in the order of the kinds."""
    for kind, hook_name in hookspecs.HOOKS_BY_KIND.items():
        for returned in getattr(manager.hook, hook_name)():
            yield kind, returned


def _ambiguous(kind: str, name: str, offers: list[RegisteredPlugin]) -> PluginError:
    by_distribution = sorted({offer.qualified for offer in offers})
    if len(by_distribution) > 1:
        hint = f"write {' or '.join(by_distribution)}"
    else:
        hint = f"{offers[0].distribution} must rename one; skip it with --without {offers[0].distribution}"
    owners = " and ".join(offer.source.label for offer in offers)
    return PluginError(f"the {kind} {name!r} is offered by {owners}", hint=hint)


@cache
def _harness_identity() -> str:
    return f"{DISTRIBUTION}@{importlib.metadata.version(DISTRIBUTION)}+src.{harness_digest()[:12]}"


__all__ = ["AnySpec", "FailedPlugin", "RegisteredPlugin", "Registry"]
