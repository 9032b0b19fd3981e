"""The workload of a policy-gradient step, by the rounds in which TRL's GRPOTrainer generates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.plugin.workload import Workload

if TYPE_CHECKING:
    from harness.training.config import OnPolicyConfig

GROUP = 8
"""Completions sampled for each prompt where gradients of a policy are measured; their mean reward is the baseline."""

_KEPT_STATES = 2
"""`save_total_limit` of the step; one more is on disk until it is whole and the oldest goes."""


def policy_gradient_workload(config: OnPolicyConfig) -> Workload:
    """Returns what a training with this config does at most.

    One round of generation lasts steps_per_generation × num_iterations forward passes of completions_per_device. The
    old policy is scored once more where a round is no whole part of an optimizer step, the reference where beta is set.
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
    """Returns what `cached_gradients` does for `count` completions: whole groups are sampled, one result is kept."""
    sampled = max(1, count // GROUP) * GROUP
    return Workload(completions=sampled, trained_completions=min(sampled, count), cached_gradients=1)


def _count(config: OnPolicyConfig, name: str, default: int) -> int:
    value = config.trl.get(name)
    return value if isinstance(value, int) and value > 0 else default
