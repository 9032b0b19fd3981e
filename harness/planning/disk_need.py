"""The disk space that a plan needs, for `harness plan` and for the check before a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.planning.model_shape import BYTES, shape_of
from harness.planning.node import StepNode
from harness.planning.plan import Plan
from harness.planning.states import trained_again, with_trained_again
from harness.plugin.workload import Workload
from harness.weights.model_folder import CONFIG
from harness.weights.storage_forms import BELOW, KEPT, Deltas

STATE_COPIES = 3
"""The size of a resumable state in model sizes: the weights, and AdamW's two moments in the same dtype."""


@dataclass(frozen=True, kw_only=True)
class DiskNeed:
    """Upper bounds in bytes. checkpoint_bytes: all checkpoints as full models. scratch_bytes: the resumable states of
    the largest training, which are deleted when it ends. restored_bytes: models restored from deltas at the same time.
    gradient_bytes: cached gradients. Excludes scores, logs, files of probes and the base model."""

    checkpoints: int = 0
    checkpoint_bytes: int = 0
    scratch_bytes: int = 0
    restored_bytes: int = 0
    gradient_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """The sum of all parts."""
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
    """Returns the disk space of a plan's trainings, their states, recoveries and merges, except nodes whose keys are in
    `without`.

    workloads: by key. A step without one has the dtype of its parent and no resumable states. parameters, dtype: those
    of the base model. deltas: when models are stored as deltas. A delta is counted as a full model; while it is
    restored, the restored model takes additional space.
    """
    dtypes: dict[str, str] = {}
    again = trained_again(plan, without)
    workloads = with_trained_again(workloads, plan, without)
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
        states = size * (STATE_COPIES * work.resumable_states + (node.key in again))  # its model again, to compare it
        scratch = max(scratch, states + gradient * work.scratch_gradients)
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
    """Returns the maximum number of models that are restored at the same time: those of the longest lineage that a
    missing node reads, and those kept for later nodes."""
    read = [_behind(plan, key) for key in plan.nodes if key not in without]
    return min(len(plan.steps), max(read) + KEPT) if any(read) else 0


def _behind(plan: Plan, key: str) -> int:
    """Returns the number of steps from the base model to the checkpoint that the node `key` reads, inclusive."""
    node = plan.nodes[key]
    behind = {step for parent in node.parents for step in plan.steps_behind(parent)}
    return len(behind | ({key} if isinstance(node, StepNode) else set()))


def size_of(folder: Path) -> tuple[int, str]:
    """Returns the number of parameters and the dtype of a model folder, from its config.json or from the size of its
    files, with float32 as the default dtype."""
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
