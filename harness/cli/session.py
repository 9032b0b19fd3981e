"""State shared by all commands: the global options and the plugin registry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness import Registry


@dataclass
class Session:
    """The global options of one invocation. The registry is built on first access."""

    debug: bool = False
    strict_plugins: bool = False
    without: tuple[str, ...] = ()

    @cached_property
    def registry(self) -> Registry:
        """The registry of the installed plugins. With `--strict-plugins`, raises PluginError if one failed to load."""
        from harness import Registry

        return Registry.discover(without=self.without, strict=self.strict_plugins)


def session_of(context: typer.Context) -> Session:
    """Returns the session of the invocation."""
    session = context.find_object(Session)
    assert session is not None
    return session
