"""Policy gradients of a checkpoint, cached in the store and shared by steps and probes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from safetensors.torch import save_file

from harness.plugin.interfaces import Cost, LineageEntry, TrainingDomain
from harness.plugin.probe_interface import ProbeContext
from harness.plugin.recovery_interface import RecoveryContext
from harness.training.policy_gradients import mean_policy_gradient, mean_squared_gradient
from harness.weights import WeightFolder

Kind = Literal["fisher", "gradient"]
_MEASURES = {"fisher": mean_squared_gradient, "gradient": mean_policy_gradient}
_FILE = "gradients.safetensors"
_SAMPLED = "sampled.json"


def cached_gradients(
    kind: Kind, context: RecoveryContext | ProbeContext, *, checkpoint: LineageEntry, domain: TrainingDomain, count: int
) -> tuple[WeightFolder, Cost]:
    """Returns the diagonal Fisher or the policy gradient of a checkpoint on a domain, fp32, by parameter name, and the
    number of samples behind it. Computes it on the first call and reads it from the store afterwards.

    Uses the seed of the context. Definitions and errors: see `harness.training.policy_gradients`.
    """
    make = _maker(kind, checkpoint.folder, domain, count, context.seed)
    if context.cache is None:
        folder = context.scratch / f"{kind}-{checkpoint.step}-{domain.name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
    else:
        folder = context.cache(
            kind,
            make,
            checkpoint=checkpoint,
            domain=domain.name,
            settings={"completions": count, "seed": context.seed, "sampling": asdict(domain.sampled_as())},
        )
    sampled = json.loads((folder / _SAMPLED).read_text(encoding="utf-8"))
    cost = Cost(completions=sampled["completions"], generated_tokens=sampled["tokens"])
    return WeightFolder(folder, model=False), cost


def _maker(kind: Kind, checkpoint: Path, domain: TrainingDomain, count: int, seed: int) -> Callable[[Path], None]:
    def make(output: Path) -> None:
        measured = _MEASURES[kind](checkpoint, domain, count=count, seed=seed)
        save_file({name: value.contiguous() for name, value in measured.values.items()}, output / _FILE)
        sampled = {"completions": measured.completions, "tokens": measured.tokens}
        (output / _SAMPLED).write_text(json.dumps(sampled) + "\n", encoding="utf-8")

    return make
