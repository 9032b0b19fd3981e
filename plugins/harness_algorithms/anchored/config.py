"""Settings of anchored training."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from harness import Workload
from harness.training import PolicyGradientConfig


class AnchoredConfig(PolicyGradientConfig):
    """GRPO's settings, and what holds the weights near the step's start."""

    anchor: Literal["kl", "l2", "ewc"] = Field(
        default="kl",
        description="the policy's KL, the weights' squared distance, or that weighted by Fisher information",
    )
    strength: float = Field(
        default=0.04,
        gt=0,
        description="of the anchor; 0.04 is DeepSeekMath's of the KL, l2 and ewc have scales of their own",
    )
    fisher_completions: int = Field(
        default=128, ge=1, description="completions of each earlier domain that ewc's Fisher information is measured on"
    )

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if self.beta:
            raise ValueError("beta is the strength of anchor: kl; use strength")
        if self.lora is not None and self.anchor != "kl":
            raise ValueError(
                f"anchor: {self.anchor} holds the weights themselves, and lora trains others; use anchor: kl"
            )
        return self

    def workload(self) -> Workload:
        """Returns GRPO's, without what ewc samples of each domain trained before: the config does not tell them."""
        work = PolicyGradientConfig(**self.grpo_settings()).workload()
        return replace(work, scratch_gradients=int(self.anchor == "ewc"))

    def grpo_settings(self) -> dict[str, object]:
        """Returns the values of GRPO's own settings, the KL's weight among them."""
        values = {name: getattr(self, name) for name in PolicyGradientConfig.model_fields}
        return values | {"beta": self.strength if self.anchor == "kl" else 0.0}
