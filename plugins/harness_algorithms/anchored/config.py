"""Settings of anchored training."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from harness import Workload
from harness.training import PolicyGradientConfig


class AnchoredConfig(PolicyGradientConfig):
    """GRPO's settings, and the penalty on the distance from the step's start."""

    anchor: Literal["kl", "l2", "ewc"] = Field(
        default="kl",
        description="the penalty: KL of the policy, squared distance of the weights, or the same weighted by Fisher",
    )
    strength: float = Field(
        default=0.04,
        gt=0,
        description="factor of the penalty; 0.04 is DeepSeekMath's for the KL, l2 and ewc need other values",
    )
    fisher_completions: int = Field(
        default=128, ge=1, description="completions per earlier domain on which ewc measures the Fisher information"
    )

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        if self.beta:
            raise ValueError("beta is set by strength with anchor: kl; use strength")
        if self.lora is not None and self.anchor != "kl":
            raise ValueError(
                f"anchor: {self.anchor} applies to the model's own weights, and lora trains others; use anchor: kl"
            )
        return self

    @property
    def kl_weight(self) -> float:
        return self.strength if self.anchor == "kl" else 0.0

    def reads_lineage(self) -> bool:
        return super().reads_lineage() or self.anchor == "ewc"

    def workload(self) -> Workload:
        """Returns GRPO's work. Excludes what ewc samples, since the config does not know the earlier domains."""
        work = PolicyGradientConfig(**self.grpo_settings()).workload()
        return replace(work, scratch_gradients=int(self.anchor == "ewc"))

    def grpo_settings(self) -> dict[str, object]:
        """Returns the values of GRPO's own settings, including the weight of the KL."""
        values = {name: getattr(self, name) for name in PolicyGradientConfig.model_fields}
        return values | {"beta": self.kl_weight}
