"""Resolves the checkpoint and the domains that a probe's config names."""

from __future__ import annotations

from collections.abc import Sequence

from harness import LineageEntry, ProbeContext, StepFailed
from harness_probes.config import Place


def entry_at(context: ProbeContext, at: Place) -> LineageEntry:
    """Returns the checkpoint that `at` names. Raises StepFailed if there is no such step."""
    if at == "base":
        return context.lineage[0]
    if at == "end":
        return context.lineage[-1]
    for entry in context.lineage:
        if entry.step == at:
            return entry
    steps = ", ".join(f"{entry.step} ({entry.label})" for entry in context.lineage)
    raise StepFailed(f"the method has no step {at}", where="at", hint=f"its steps are {steps}")


def chosen_domains(context: ProbeContext, names: Sequence[str]) -> list[str]:
    """Returns the named domains, or all where none is named. Raises StepFailed for an unknown domain."""
    for name in names:
        if name not in context.domains:
            raise StepFailed(
                f"the protocol has no domain {name!r}", where="domains", hint=f"it has {', '.join(context.domains)}"
            )
    return list(names) or list(context.domains)
