"""Reads the probe results of a run, from the store or, for an archived run folder, from its record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.plugin.specs import ProbeSpec
    from harness.results.probe_tables import ProbeRecord


def read_probes(folder: Path, registry: Registry) -> ProbeRecord | None:
    """Returns the record, or None if there are no probe results. Raises UsageError if one cannot be read."""
    from harness.execution.run_folder import PLAN
    from harness.execution.store import Store
    from harness.execution.stored_probe_rows import stored_probe_rows
    from harness.planning.serialization import read_plan
    from harness.results.probe_tables import FILE, ProbeRecord, build_probe_record

    if not (folder / PLAN).is_file():
        return ProbeRecord.read(folder / FILE) if (folder / FILE).is_file() else None
    plan = read_plan(folder / PLAN)
    rows, problems = stored_probe_rows(plan, Store(folder.resolve().parent / "store"))
    if problems:
        raise UsageError(
            f"cannot read the probe results: {'; '.join(problems)}",
            where=str(folder),
            hint=f"`harness store repair {folder.resolve().parent}` removes damaged ones; then run the protocol again",
        )
    if not any(one.rows for one in rows):
        return None
    methods = list(dict.fromkeys(method.name for method in plan.methods))
    return build_probe_record(plan.protocol, methods, rows, lambda name: _spec(name, registry))


def _spec(name: str, registry: Registry) -> ProbeSpec | None:
    from harness.plugin.specs import ProbeSpec

    try:
        spec = registry.find("probe", name).spec
    except HarnessError:
        return None  # measured elsewhere, by a plugin that is not installed here
    return spec if isinstance(spec, ProbeSpec) else None
