"""How much of the disk a plan's checkpoints take: one formula, for `harness plan` and for the check before a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.planning.model_shape import BYTES, shape_of
from harness.planning.node import StepNode
from harness.planning.plan import Plan
from harness.plugin.workload import Workload
from harness.weights.model_folder import CONFIG
from harness.weights.storage_forms import BELOW, KEPT, Deltas

STATE_COPIES = 3
"""What a resumable state holds of the model's size: the weights, and AdamW's two moments in the weights' dtype."""


@dataclass(frozen=True, kw_only=True)
class DiskNeed:
    """In bytes, at most. checkpoint_bytes: what is kept, each model whole. scratch_bytes: at one time, of the states
    that the largest training resumes from; they go when it is done. restored_bytes: at one time, of deltas beside the
    models that are restored from them. gradient_bytes: of gradients that recoveries leave to others. Scores, logs, what
    probes keep and the base model are not in it."""

    checkpoints: int = 0
    checkpoint_bytes: int = 0
    scratch_bytes: int = 0
    restored_bytes: int = 0
    gradient_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All together."""
        return self.checkpoint_bytes + self.scratch_bytes + self.restored_bytes + self.gradient_bytes


def disk_need(
    plan: Plan,
    workloads: Mapping[str, Workload | None],
    *,
    parameters: int,
    dtype: str,
    without: Collection[str] = (),
    deltas: Deltas = Deltas.AUTO,
) -> DiskNeed:
    """Returns what the trainings, recoveries and merges of a plan take, less the nodes whose keys are in `without`.

    workloads: by key; a step without one keeps its parent's dtype and has no states. parameters, dtype: the base's.
    deltas: when models are kept as deltas. One that is not restored takes less than the model that it is counted as;
    while it is, it lies beside it.
    """
    dtypes: dict[str, str] = {}
    kept, scratch, count, largest, gradients = 0, 0, 0, 0, 0
    for node in plan.steps:
        work = workloads.get(node.key) or Workload()
        dtypes[node.key] = work.dtype or dtypes.get(node.parents[-1], dtype)
        size = parameters * BYTES[dtypes[node.key]]
        largest = max(largest, size)
        if node.key in without:
            continue
        count, kept = count + 1, kept + size
        gradient = parameters * BYTES["float32"]
        gradients += gradient * work.cached_gradients
        scratch = max(scratch, size * STATE_COPIES * work.resumable_states + gradient * work.scratch_gradients)
    share = {Deltas.AUTO: BELOW, Deltas.NEVER: 0.0, Deltas.ALWAYS: 1.0}[deltas]
    restored = int(share * largest * _restored_at_once(plan, without))
    return DiskNeed(
        checkpoints=count,
        checkpoint_bytes=kept,
        scratch_bytes=scratch,
        restored_bytes=restored,
        gradient_bytes=gradients,
    )


def _restored_at_once(plan: Plan, without: Collection[str]) -> int:
    """Returns how many models lie restored at one time at most: those behind the longest lineage that a node to be made
    reads, and those kept for later ones."""
    read = [_behind(plan, key) for key in plan.nodes if key not in without]
    return min(len(plan.steps), max(read) + KEPT) if any(read) else 0


def _behind(plan: Plan, key: str) -> int:
    """Returns how many steps there are from the base to what the node `key` reads, itself included."""
    node = plan.nodes[key]
    behind = {step for parent in node.parents for step in plan.steps_behind(parent)}
    return len(behind | ({key} if isinstance(node, StepNode) else set()))


def size_of(folder: Path) -> tuple[int, str]:
    """Returns the parameters and the dtype of a model folder: by its config.json, or by the bytes of its files, taken
    for float32 where no dtype is known."""
    try:
        config = parse_json((folder / CONFIG).read_bytes())
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
