"""Makes the update rules of a training from its config and its context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from harness._util.distributed import world_size
from harness.plugin.interfaces import Cost, TrainingContext
from harness.training.config import OnPolicyConfig
from harness.training.processes import begun
from harness.training.updates.freeze import frozen_weights
from harness.training.updates.mask_rule import MaskRule
from harness.training.updates.moving_average import MovingAverage
from harness.training.updates.rule import UpdateRule
from harness.training.updates.subspace import SubspaceScaling, write_directions

_DIRECTIONS = "subspace.safetensors"


@dataclass
class UpdateRules:
    """rules: in the order in which they change a step; masks come after what else changes weights. cost: of what was
    measured. report: what is stored with the result."""

    rules: list[UpdateRule] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    report: dict[str, Any] = field(default_factory=dict)


def update_rules(context: TrainingContext, config: OnPolicyConfig) -> UpdateRules:
    """Returns the rules of a training. Measures what they need, before the trainer takes memory."""
    made = UpdateRules()
    with _main_process_first(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        if config.subspace is not None:
            file = context.scratch / _DIRECTIONS
            stages = write_directions(context.lineage, config.subspace.rank, file)
            made.report["subspace"] = {"stages": stages}
            if stages:
                made.rules.append(SubspaceScaling(config.subspace, file))
        if config.freeze is not None:
            frozen = frozen_weights(context, config.freeze)
            if frozen is None:
                made.report["freeze"] = {"frozen": 0, "domains": [], "reason": "no domain was trained before"}
            else:
                made.rules.append(MaskRule("freeze", frozen.file, context.checkpoint))
                made.report["freeze"] = {"frozen": frozen.frozen, "domains": list(frozen.domains)}
                made.cost += frozen.cost
    if context.mask is not None:
        made.rules.append(MaskRule("mask", context.mask, context.checkpoint))
    if config.ema is not None:
        made.rules.append(MovingAverage(config.ema))
    return made


@contextmanager
def _main_process_first() -> Iterator[None]:
    """Runs the block in the main process before the others, which then find its results in the cache or the scratch."""
    if world_size() == 1:
        yield
        return
    with begun().main_process_first():
        yield
