"""Environment variables that switch something on or off."""

from __future__ import annotations

from collections.abc import Mapping

OFFLINE = "HARNESS_OFFLINE"
"""Forbids the network as a whole. Hugging Face's own variables forbid its hub alone: a judge may still be asked."""

_OFF = frozenset({"0", "false", "no", "off"})


def is_on(name: str, environment: Mapping[str, str], *, default: bool = False) -> bool:
    """Returns whether a variable is set to anything but 0, false, no or off. default: where it is not set or empty."""
    value = environment.get(name, "")
    return value.lower() not in _OFF if value else default
