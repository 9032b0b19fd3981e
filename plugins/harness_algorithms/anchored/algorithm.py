"""The algorithm `anchored`: GRPO with an anchor at the step's start."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness import StepResult, TrainingContext
from harness.training import PolicyGradientConfig, TRLAlgorithm
from harness_algorithms.anchored.config import AnchoredConfig


class Anchored(TRLAlgorithm):
    """GRPO with one of three penalties.

    kl: TRL's KL to the step's start. l2: strength/2 · ‖θ − θ_start‖² (L2-SP, arXiv 1802.01483, without the term for new
    layers, of which there are none). ewc: strength/2 · Σᵢ Fᵢ (θᵢ − θᵢ_start)² (arXiv 1612.00796, equation 3), with F
    summed over the domains trained before; without any, plain GRPO.
    """

    def __init__(self, config: AnchoredConfig) -> None:
        self.config = config

    def trl_settings(self) -> PolicyGradientConfig:
        return PolicyGradientConfig(**self.config.grpo_settings())

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl

        grpo = self.trl_settings()
        if self.config.anchor == "kl" or (self.config.anchor == "ewc" and not context.earlier):
            return train_with_trl(context, grpo)
        from harness_algorithms.anchored.fisher import fisher_of_earlier
        from harness_algorithms.anchored.trainer import AnchoredTrainer

        if self.config.anchor == "l2":
            return train_with_trl(context, grpo, trainer_class=partial(AnchoredTrainer, strength=self.config.strength))
        measure = partial(fisher_of_earlier, context, self.config.fisher_completions)
        trainer = partial(AnchoredTrainer, strength=self.config.strength, weigh=lambda: measure().diagonal)
        result = train_with_trl(context, grpo, trainer_class=trainer)
        return replace(result, cost=result.cost + measure().cost)
