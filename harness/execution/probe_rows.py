"""What the probes of a run left in its store: rows, one a measurement, by probe, method and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.planning.nodes import Plan, ProbeNode


@dataclass(frozen=True, kw_only=True)
class ProbeRows:
    """What a probe measured along one method's lineage, for one seed. config: what the protocol told the probe, with
    defaults."""

    probe: str
    method: str
    seed: int
    rows: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)


def is_finite_number(value: object) -> TypeGuard[float]:
    """Returns whether a row's value is a number that can be averaged and drawn: no boolean, NaN or infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def stored_probe_rows(plan: Plan, store: Store) -> tuple[tuple[ProbeRows, ...], list[str]]:
    """Returns what is there, in the order of the plan's methods and probes, and the names of what cannot be read."""
    found, problems = [], []
    for method in plan.methods:
        for key in method.probes:
            node = plan.nodes[key]
            if not isinstance(node, ProbeNode):
                continue
            try:
                if not store.holds(key):
                    continue
                rows = store.read_json(key, "rows.json")
            except DamagedResult:
                rows = None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                problems.append(f"{key[:12]}/rows.json, of {node.label}")
                continue
            found.append(
                ProbeRows(
                    probe=node.probe.name, method=method.name, seed=method.seed, rows=rows, config=node.probe.config
                )
            )
    return tuple(found), problems
