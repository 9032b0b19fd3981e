"""What the probes of a run left in its store: rows, one a measurement, by probe, method and seed."""

from __future__ import annotations

from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.planning.nodes import ProbeNode
from harness.planning.plan import Plan
from harness.results.probe_rows import ProbeRows


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
