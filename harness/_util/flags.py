"""Boolean environment variables."""

from __future__ import annotations

from collections.abc import Mapping

OFFLINE = "HARNESS_OFFLINE"
"""Disables all network access. Hugging Face's own variables disable only the Hub; judges can still be called."""

_OFF = frozenset({"0", "false", "no", "off"})


def is_on(name: str, environment: Mapping[str, str], *, default: bool = False) -> bool:
    """Returns whether a variable is set to anything but 0, false, no or off; `default` if it is unset or empty."""
    value = environment.get(name, "")
    return value.lower() not in _OFF if value else default
