"""Policy gradients of a checkpoint, cached in the store and shared by steps and probes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file

from harness.plugin.interfaces import Cost, LineageEntry, TrainingDomain
from harness.training.measurements import MeasuringContext, measured_folder, measurement_seed
from harness.training.policy_gradients import (
    mean_policy_gradient,
    mean_squared_gradient,
    mean_squared_reward_gradient,
)
from harness.weights import WeightFolder

Kind = Literal["fisher", "reward-fisher", "gradient"]
_MEASURES = {
    "fisher": mean_squared_gradient,
    "reward-fisher": mean_squared_reward_gradient,
    "gradient": mean_policy_gradient,
}
_FILE = "gradients.safetensors"
_SAMPLED = "sampled.json"
_SUMS = "sums.json"


def cached_gradients(
    kind: Kind,
    context: MeasuringContext,
    *,
    checkpoint: LineageEntry,
    domain: TrainingDomain,
    count: int,
) -> tuple[WeightFolder, Cost]:
    """Returns a diagonal Fisher or the policy gradient of a checkpoint on a domain, fp32, by parameter name, and the
    cost of its samples. Computes it on the first call and reads it from the store afterwards.

    Uses the cache's seed, so that all steps and probes share it; outside a run, the context's. Definitions and errors:
    see `harness.training.policy_gradients`.
    """
    seed = measurement_seed(context)
    folder = measured_folder(
        kind,
        context,
        _maker(kind, checkpoint.folder, domain, count, seed),
        checkpoint=checkpoint,
        domain=domain.name,
        settings={"completions": count, "seed": seed, "sampling": asdict(domain.sampled_as())},
    )
    sampled = json.loads((folder / _SAMPLED).read_text(encoding="utf-8"))
    cost = Cost(completions=sampled["completions"], generated_tokens=sampled["tokens"])
    return WeightFolder(folder, model=False), cost


def tensor_sums(gradients: WeightFolder) -> dict[str, float]:
    """Returns the sum over each tensor of what `cached_gradients` returned, by name, summed in fp64."""
    sums: dict[str, float] = json.loads((gradients.folder / _SUMS).read_text(encoding="utf-8"))
    return sums


def _maker(kind: Kind, checkpoint: Path, domain: TrainingDomain, count: int, seed: int) -> Callable[[Path], None]:
    def make(output: Path) -> None:
        measured = _MEASURES[kind](checkpoint, domain, count=count, seed=seed)
        save_file({name: value.contiguous() for name, value in measured.values.items()}, output / _FILE)
        sampled = {"completions": measured.completions, "tokens": measured.tokens}
        (output / _SAMPLED).write_text(json.dumps(sampled) + "\n", encoding="utf-8")
        sums = {name: float(value.sum(dtype=torch.float64)) for name, value in sorted(measured.values.items())}
        (output / _SUMS).write_text(json.dumps(sums) + "\n", encoding="utf-8")

    return make
