"""How much a coordinate is blamed for the damage; δ is the edit from the target's peak to the damaged checkpoint.

The paper does not say how its rollback picks coordinates, so each score here is a reading of it, named by its formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from harness import Cost, RecoveryContext, StepFailed
from harness.training.policy_gradients import Gradients, mean_policy_gradient, mean_squared_gradient
from harness.weights import WeightFolder

if TYPE_CHECKING:
    from harness_rollback.config import RollbackConfig


@dataclass(frozen=True, kw_only=True)
class Score:
    """of: takes a tensor's name and its δ in fp32, returns the score of each coordinate, the higher the guiltier.
    cost: what was sampled to know it."""

    of: Callable[[str, torch.Tensor], torch.Tensor]
    cost: Cost = field(default_factory=Cost)


def score_of(context: RecoveryContext, config: RollbackConfig) -> Score:
    """Returns the score that the config names, with what it has to measure already measured.

    Raises StepFailed for sign-conflict where the target's training has no checkpoint before it.
    """
    return _SCORES[config.score](context, config)


def _fisher(context: RecoveryContext, config: RollbackConfig) -> Score:
    """F·δ², the second-order damage ½ δᵀHδ of arXiv 2606.02398 read coordinate by coordinate, F for H's diagonal."""
    fisher = mean_squared_gradient(
        context.peak_checkpoint, context.domains[context.target], count=config.completions, seed=context.seed
    )
    return Score(of=lambda name, delta: _value(fisher, name) * delta.square(), cost=_cost(fisher))


def _gradient(context: RecoveryContext, config: RollbackConfig) -> Score:
    """−g·δ, the first-order gain in reward of undoing δ; g is the target's policy gradient where the damage is."""
    gradient = mean_policy_gradient(
        context.checkpoint, context.domains[context.target], count=config.completions, seed=context.seed
    )
    return Score(of=lambda name, delta: -_value(gradient, name) * delta, cost=_cost(gradient))


def _magnitude(context: RecoveryContext, config: RollbackConfig) -> Score:
    """|δ|."""
    return Score(of=lambda name, delta: delta.abs())


def _sign_conflict(context: RecoveryContext, config: RollbackConfig) -> Score:
    """−δ_A·δ, δ_A the edit that the target's own training made: high where the later edit goes against it."""
    if context.peak == 0:
        raise StepFailed("sign-conflict compares with the edit of the target's own training, and there is none")
    before, peak = WeightFolder(context.lineage[context.peak - 1].folder), WeightFolder(context.peak_checkpoint)
    return Score(of=lambda name, delta: -(peak.read(name).float() - before.read(name).float()) * delta)


def _random(context: RecoveryContext, config: RollbackConfig) -> Score:
    """A uniform draw: the control that every other score has to beat."""
    generator = torch.Generator().manual_seed(context.seed)
    return Score(of=lambda name, delta: torch.rand(delta.shape, generator=generator))


_SCORES: Mapping[str, Callable[[RecoveryContext, RollbackConfig], Score]] = {
    "fisher": _fisher,
    "gradient": _gradient,
    "magnitude": _magnitude,
    "sign-conflict": _sign_conflict,
    "random": _random,
}


def _value(gradients: Gradients, name: str) -> torch.Tensor:
    if name not in gradients.values:
        raise StepFailed(f"the model has no gradient for the parameter {name}")
    return gradients.values[name]


def _cost(gradients: Gradients) -> Cost:
    return Cost(completions=gradients.completions, generated_tokens=gradients.tokens)
