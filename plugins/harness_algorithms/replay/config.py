"""Settings of the two kinds of replay."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from harness import Workload
from harness.training import PolicyGradientConfig


class ReplayConfig(PolicyGradientConfig):
    """GRPO's settings, and the replayed share. Its default is a choice of the harness."""

    share: float = Field(
        default=0.1, ge=0, lt=1, description="share of each step's prompts that come from the domains trained before"
    )


class ReplaySFTConfig(PolicyGradientConfig):
    """GRPO's settings, and those of the supervised share. On-Policy Replay (arXiv 2605.29495) uses 1 to 10 %."""

    share: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="share of the loss, and supervised examples per completion of an optimizer step",
    )
    rollouts: int = Field(
        default=128, ge=2, description="completions of each earlier domain that the step's start samples, once"
    )
    min_reward: float | None = Field(
        default=None,
        description="keeps completions with at least this reward; null: above the mean of the domain's rollouts, or all"
        " where all have the same reward above 0",
    )

    @property
    def examples(self) -> int:
        """The number of supervised examples of an optimizer step."""
        return max(1, round(self.share * self.prompts_per_step * self.generations))

    def workload(self) -> Workload:
        """Returns GRPO's work and the supervised passes, without the rollouts, whose number of domains is not known."""
        work = super().workload()
        return replace(work, trained_completions=work.trained_completions + self.steps * self.examples)
