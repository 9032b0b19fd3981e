"""How much of the disk a plan's checkpoints take: one formula, for `harness plan` and for the check before a run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoint import CONFIG
from harness.model_shape import BYTES, shape_of
from harness.nodes import Plan, StepNode
from harness.workload import Workload

STATE_COPIES = 3
"""What a resumable state holds of the model's size: the weights, and AdamW's two moments in the weights' dtype."""


@dataclass(frozen=True, kw_only=True)
class DiskNeed:
    """In bytes. checkpoint_bytes: what is kept. scratch_bytes: at one time, of the states that the largest training
    resumes from; they go when it is done. Scores, logs and the base model are not in it."""

    checkpoints: int = 0
    checkpoint_bytes: int = 0
    scratch_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Both together."""
        return self.checkpoint_bytes + self.scratch_bytes


def disk_need(
    plan: Plan,
    workloads: Mapping[str, Workload | None],
    *,
    parameters: int,
    dtype: str,
    without: Collection[str] = (),
) -> DiskNeed:
    """Returns what the trainings, recoveries and merges of a plan take, less the nodes whose keys are in `without`.

    workloads: by key; a step without one keeps its parent's dtype and has no states. parameters, dtype: the base's.
    """
    dtypes: dict[str, str] = {}
    kept, scratch, count = 0, 0, 0
    for key, node in plan.nodes.items():
        if not isinstance(node, StepNode):
            continue
        work = workloads.get(key) or Workload()
        dtypes[key] = work.dtype or dtypes.get(node.parents[-1], dtype)
        if key in without:
            continue
        size = parameters * BYTES[dtypes[key]]
        count, kept = count + 1, kept + size
        scratch = max(scratch, size * STATE_COPIES * work.resumable_states)
    return DiskNeed(checkpoints=count, checkpoint_bytes=kept, scratch_bytes=scratch)


def size_of(folder: Path) -> tuple[int, str]:
    """Returns the parameters and the dtype of a model folder: by its config.json, or by the bytes of its files, taken
    for float32 where no dtype is known."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    config = config if isinstance(config, dict) else {}
    shape = shape_of(config)
    named = config.get("dtype") or config.get("torch_dtype")
    dtype = named if named in BYTES else "float32"
    if shape is not None and shape.exact:
        return shape.parameters, dtype
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return size // BYTES[dtype], dtype
