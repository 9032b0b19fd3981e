"""The stored rows of a run's probes, by probe, method and seed; a row is a measurement."""

from __future__ import annotations

from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.planning.nodes import ProbeNode
from harness.planning.plan import Plan
from harness.results.probe_rows import ProbeRows


def stored_probe_rows(plan: Plan, store: Store) -> tuple[tuple[ProbeRows, ...], list[str]]:
    """Returns the stored rows, in the order of the plan's methods and probes, and the names of unreadable files."""
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
