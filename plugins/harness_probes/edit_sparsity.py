"""Edit sparsity: the share of parameters that a step leaves as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import NoConfig, Probe, ProbeContext
from harness.weights import WeightFolder, edit_summary


class EditSparsity(Probe):
    """A parameter counts as unchanged where |Δ| < 1e-7 and its relative change is below 1e-3 (arXiv 2606.02398, as
    noted by readers). Measured on the checkpoints' values in fp32; bf16 checkpoints make sparsity by rounding."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        rows = []
        pairs = list(zip(context.lineage, context.lineage[1:], strict=False))
        for done, (before, after) in enumerate(pairs):
            context.progress(done, len(pairs), {})
            edit = edit_summary(WeightFolder(before.folder), WeightFolder(after.folder))
            rows.append(
                {
                    "step": after.step,
                    "label": after.label,
                    "parameters": edit.coordinates,
                    "unchanged_share": edit.unchanged_share,
                    "edit_norm": edit.norm,
                }
            )
        return rows
