"""Lists, finds and checks plugins."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.api.protocols import installed_plugins
from harness.errors import HarnessError, PluginError, UsageError

if TYPE_CHECKING:
    from harness.plugin.registered import RegisteredPlugin
    from harness.plugin.registry import Registry


@dataclass(frozen=True, kw_only=True)
class PluginCheck:
    """The check of a plugin against the contract of its kind.

    outcome: `kept`; `broken` if the plugin violates the contract; `skipped` if it could not be checked, for example
    because the data of a domain are missing. error: the reason, None if the contract is kept.
    """

    plugin: RegisteredPlugin
    outcome: Literal["kept", "broken", "skipped"]
    error: Exception | None = None


def list_plugins(kind: str | None = None, *, registry: Registry | None = None) -> list[RegisteredPlugin]:
    """Returns the plugins of a kind, such as `domain`, or of all kinds, sorted by kind and name.

    registry: the plugins to list; default: all installed ones. Raises UsageError if there is no such kind.
    """
    return installed_plugins(registry).all(_known_kind(kind))


def find_plugins(name: str, kind: str | None = None, *, registry: Registry | None = None) -> list[RegisteredPlugin]:
    """Returns the plugins called `name`, which may be `distribution/name`, of a kind or of all kinds.

    registry: as for `list_plugins`. Raises UsageError if there is no such kind, PluginError if there is no such plugin.
    """
    plugins = installed_plugins(registry)
    found = [one for one in list_plugins(kind, registry=plugins) if name in (one.name, one.qualified)]
    if not found:
        raise _no_such(plugins, name, kind)
    return found


def check_plugins(
    name: str,
    kind: str | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    finished: Callable[[PluginCheck], None] | None = None,
    registry: Registry | None = None,
) -> list[PluginCheck]:
    """Checks the plugins called `name` against the contracts of their kinds. Trainings and recoveries run on a tiny
    model.

    config: keys of their configs. finished: called after each plugin. name, kind, registry, and errors: as for
    `find_plugins`.
    """
    from harness.testing import check_offer

    plugins = installed_plugins(registry)
    checks = []
    for plugin in find_plugins(name, kind, registry=plugins):
        check = PluginCheck(plugin=plugin, outcome="kept")
        with tempfile.TemporaryDirectory() as folder:
            try:
                check_offer(plugin, plugins, Path(folder), dict(config or {}))
            except Exception as error:  # report any exception of a plugin
                unchecked = isinstance(error, HarnessError) and not isinstance(error, PluginError)
                check = PluginCheck(plugin=plugin, outcome="skipped" if unchecked else "broken", error=error)
        checks.append(check)
        if finished is not None:
            finished(check)
    return checks


def _known_kind(kind: str | None) -> str | None:
    """Returns `kind`. Raises UsageError if there is no such kind."""
    from harness.plugin.hookspecs import HOOKS_BY_KIND

    if kind is None or kind in HOOKS_BY_KIND:
        return kind
    near = difflib.get_close_matches(kind, HOOKS_BY_KIND, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the kinds are: {', '.join(HOOKS_BY_KIND)}"
    raise UsageError(f"no kind is called {kind!r}", where="--kind", hint=hint)


def _no_such(registry: Registry, name: str, kind: str | None) -> PluginError:
    """Returns the error for an unknown name in `kind` or in all kinds."""
    if kind is not None:
        try:
            registry.find(kind, name)
        except PluginError as error:
            return error
    known = sorted({plugin.name for plugin in registry.all()})
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `harness plugins list`"
    return PluginError(f"no plugin offers {name!r}", hint=hint)
