"""Figures of measurements that no probe of a run made."""

from __future__ import annotations

from collections.abc import Iterable

from harness.report.figure import Absent


def unmeasured(name: str, title: str, *, measured: str, needed: Iterable[str], probe: str) -> Absent:
    """Returns the absent figure with the reason. measured: what no probe did. needed: the columns of the rows that the
    figure needs. probe: what gives them."""
    reason = (
        f"No probe of this run {measured}. This figure needs rows with {', '.join(f'`{key}`' for key in needed)}. "
        f"To produce them, add {probe} under `probes`."
    )
    return Absent(name=name, title=title, reason=reason)
