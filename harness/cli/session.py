"""What every command shares: the global options, the registry they select, and the folder of runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.plugin.registry import Registry


@dataclass
class Session:
    """The global options of one invocation; the registry is built when a command first asks for it."""

    debug: bool = False
    strict_plugins: bool = False
    without: tuple[str, ...] = ()

    @cached_property
    def registry(self) -> Registry:
        """Returns the registry of the installed plugins. Raises PluginError for a failed one if `--strict-plugins`."""
        from harness.plugin.registry import Registry

        return Registry.discover(without=self.without, strict=self.strict_plugins)


def session_of(context: typer.Context) -> Session:
    """Returns the session that the global options made."""
    session = context.find_object(Session)
    assert session is not None
    return session
