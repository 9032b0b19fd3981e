"""The probe `edit-sparsity`: the share of weights that a step leaves unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import NoConfig, Probe, ProbeContext
from harness.weights import WeightFolder, delta_summary


class EditSparsity(Probe):
    """The share of weights with |Δ| < 1e-7 and |Δ| < 1e-3 · |θ_before|, which arXiv 2606.02398 counts as unchanged (as
    reported by its readers), and the Euclidean norm of Δ = θ_after − θ_before. Computed in fp32; in bf16 checkpoints,
    rounding alone leaves many weights unchanged. One row per step."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        rows = []
        pairs = list(zip(context.lineage, context.lineage[1:], strict=False))
        for done, (before, after) in enumerate(pairs):
            context.progress(done, len(pairs), {})
            delta = delta_summary(WeightFolder(before.folder), WeightFolder(after.folder))
            rows.append(
                {
                    "step": after.step,
                    "label": after.label,
                    "parameters": delta.coordinates,
                    "unchanged_share": delta.unchanged_share,
                    "edit_norm": delta.norm,
                }
            )
        return rows
