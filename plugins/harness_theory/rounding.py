"""The probe `bf16-sparsity`: how much of a training's sparsity is rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from harness import NoConfig, Probe, ProbeContext
from harness.weights import Stream, WeightFolder, check_same_tensors

UNCHANGED_ABSOLUTE = 1e-7
UNCHANGED_RELATIVE = 1e-3
"""arXiv 2606.02398, as reported by its readers: a weight whose change is below both counts as unchanged."""


class RoundedSparsity(Probe):
    """The share of weights that a step changes, in fp32 and after rounding both checkpoints to bf16.

    - `differing_share`: of weights whose value differs at all.
    - `edited_share`: of weights with |Δ| ≥ 1e-7 or 0 < |Δ| ≥ 1e-3·|θ_before|, the thresholds of arXiv 2606.02398.
    bf16 has 8 significant bits, so neighbouring values are 0.4 to 0.8 % apart: a smaller change is either lost or
    becomes a change of this size, and no change is between 0 and the relative threshold. One row per step and
    precision. Memory: a few chunks of two checkpoints. Checkpoints that are stored in bf16 have equal rows.
    """

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        rows = []
        pairs = list(pairwise(context.lineage))
        for done, (before, after) in enumerate(pairs):
            context.progress(done, len(pairs), {})
            for precision, shares in _shares(WeightFolder(before.folder), WeightFolder(after.folder)).items():
                rows.append({"step": after.step, "label": after.label, "precision": precision, **shares})
        return rows


def _exact(values: torch.Tensor) -> torch.Tensor:
    return values


def _rounded(values: torch.Tensor) -> torch.Tensor:
    return values.bfloat16().float()


_PRECISIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {"fp32": _exact, "bf16": _rounded}


def _shares(before: WeightFolder, after: WeightFolder) -> dict[str, dict[str, float]]:
    """Returns the shares of a step by precision. Raises CheckpointError for different models."""
    check_same_tensors(before, after)
    stream = Stream([before, after], before.names())
    differing = dict.fromkeys(_PRECISIONS, 0)
    edited = dict.fromkeys(_PRECISIONS, 0)
    for _, (old, new) in stream:
        for precision, of in _PRECISIONS.items():
            start = of(old)
            change = (of(new) - start).abs()
            moved = change > 0
            differing[precision] += int(moved.sum())
            edited[precision] += int(
                (moved & ((change >= UNCHANGED_ABSOLUTE) | (change >= UNCHANGED_RELATIVE * start.abs()))).sum()
            )
    return {
        precision: {
            "differing_share": differing[precision] / stream.count,
            "edited_share": edited[precision] / stream.count,
            "parameters": stream.count,
        }
        for precision in _PRECISIONS
    }
