"""How a broken contract is told."""

from __future__ import annotations

from harness.errors import PluginError


def require(holds: bool, message: str, hint: str = "") -> None:
    """Returns where `holds`. Raises PluginError with what the contract asks and what was found instead."""
    if not holds:
        raise PluginError(message, where="contract", hint=hint)
