"""Reports violations of a contract."""

from __future__ import annotations

from harness.errors import PluginError


def require(holds: bool, message: str, hint: str = "") -> None:
    """Raises PluginError with the message and the hint unless `holds`."""
    if not holds:
        raise PluginError(message, where="contract", hint=hint)
