"""The Fisher information of EWC, measured once at the step's start and stored for a resumed step."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from harness import Cost, LineageEntry, TrainingContext
from harness.training import cached_gradients

_FILE = "fisher.safetensors"


@dataclass(frozen=True, kw_only=True)
class Fisher:
    """diagonal: by parameter name, fp32, on the CPU. cost: of measuring it."""

    diagonal: dict[str, torch.Tensor]
    cost: Cost


def fisher_of_earlier(context: TrainingContext, completions: int) -> Fisher:
    """Returns the sum of the earlier domains' Fisher diagonals at the checkpoint that the step starts from.

    Each is the mean of (∇ log π(y|x))² over `completions` completions that the starting policy samples. In a run, the
    store's cache has them, which recoveries and probes share. A resumed step reads the result of the killed one from
    its scratch, so it is never measured on partly trained weights.
    """
    stored = context.scratch / _FILE
    if not stored.exists():
        _store(_measured(context, completions), stored)
    with safe_open(stored, framework="pt") as file:
        diagonal = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
        cost = Cost(**json.loads(file.metadata()["cost"]))
    return Fisher(diagonal=diagonal, cost=cost)


def _measured(context: TrainingContext, completions: int) -> Fisher:
    total: dict[str, torch.Tensor] = {}
    cost = Cost()
    start = next((entry for entry in reversed(context.lineage) if entry.folder == context.checkpoint), None)
    if start is None:  # the cache knows the checkpoints of the lineage only
        context = replace(context, cache=None)
        start = LineageEntry(step=0, label="start", domains=(), folder=context.checkpoint)
    for domain in context.earlier:
        own, sampled = cached_gradients("fisher", context, checkpoint=start, domain=domain, count=completions)
        total = {name: total[name].add_(value) if name in total else value for name, value in own}
        cost += sampled
    return Fisher(diagonal=total, cost=cost)


def _store(fisher: Fisher, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    cost = {"completions": fisher.cost.completions, "generated_tokens": fisher.cost.generated_tokens}
    save_file(
        {name: value.contiguous() for name, value in fisher.diagonal.items()}, temporary, {"cost": json.dumps(cost)}
    )
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
