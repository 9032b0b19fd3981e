"""Where a method's domains were trained last."""

from __future__ import annotations

from collections.abc import Sequence

from harness.plugin.interfaces import LineageEntry


def last_training(lineage: Sequence[LineageEntry], domain: str) -> LineageEntry | None:
    """Returns the checkpoint after the last step that trained the domain, None if none did."""
    return next((entry for entry in reversed(lineage) if domain in entry.domains), None)
