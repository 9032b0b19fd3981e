"""Checks that the packages of an extra are installed."""

from __future__ import annotations

from importlib.util import find_spec

from harness.errors import UsageError

DISTRIBUTION = "mdrl-harness"


def require_extra(extra: str, *packages: str, wanted_by: str) -> None:
    """Raises UsageError if one of the packages, which `extra` installs, is missing. Imports nothing.

    wanted_by: what needs them, for the message.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        what = "which is not installed" if len(missing) == 1 else "which are not installed"
        raise UsageError(
            f"{wanted_by} needs {' and '.join(missing)}, {what}", hint=f"pip install '{DISTRIBUTION}[{extra}]'"
        )
