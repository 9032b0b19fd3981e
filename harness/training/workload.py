"""The workload of a policy-gradient step, computed from the generation rounds of TRL's GRPOTrainer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.plugin.workload import Workload

if TYPE_CHECKING:
    from harness.training.config import OnPolicyConfig

GROUP = 8
"""Completions per prompt when policy gradients are measured. Their mean reward is the baseline."""

_KEPT_STATES = 2
"""`save_total_limit` of the step. One more state is on disk until it is complete and the oldest is deleted."""


def policy_gradient_workload(config: OnPolicyConfig) -> Workload:
    """Returns an upper bound of the work of a training with this config.

    One round of generation is used for steps_per_generation × num_iterations forward passes of completions_per_device.
    The old policy is scored once more if rounds do not divide an optimizer step, the reference model if beta is set.
    """
    seen = config.prompts_per_step * config.generations
    per_pass = min(config.completions_per_device or seen, seen)
    passes = math.ceil(seen / per_pass)
    passes_a_round = _count(config, "steps_per_generation", passes)
    cycle = passes_a_round * _count(config, "num_iterations", 1)
    rounds = math.ceil(config.steps * passes / cycle)
    completions = rounds * passes_a_round * per_pass
    saves = math.ceil(config.steps / config.save_every) if config.save_every else 0
    return Workload(
        optimizer_steps=config.steps,
        completions=completions,
        completion_tokens=config.max_completion_length,
        scored_completions=completions * (int(passes % cycle != 0) + int(config.beta != 0)),
        trained_completions=config.steps * seen,
        recomputes=any(config.trl.get(name) for name in ("gradient_checkpointing", "activation_checkpointing")),
        resumable_states=min(saves, _KEPT_STATES + 1),
        dtype=config.dtype,
    )


def gradient_workload(count: int) -> Workload:
    """Returns the work of `cached_gradients` for `count` completions, sampled in whole groups."""
    sampled = max(1, count // GROUP) * GROUP
    return Workload(completions=sampled, trained_completions=min(sampled, count), cached_gradients=1)


def _count(config: OnPolicyConfig, name: str, default: int) -> int:
    value = config.trl.get(name)
    return value if isinstance(value, int) and value > 0 else default
