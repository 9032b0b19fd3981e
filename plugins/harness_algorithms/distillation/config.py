"""Settings of on-policy distillation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.training import OnPolicyConfig


class DistillationConfig(OnPolicyConfig):
    """The settings of sampling and optimization, the divergence, and the teachers."""

    trl_config: ClassVar[str] = "GRPOConfig"

    divergence: Literal["vocabulary", "sampled"] = Field(
        default="vocabulary",
        description="reverse KL over the whole vocabulary, or its estimate at the sampled tokens as an advantage",
    )
    teachers: Mapping[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="the teacher of a domain as the number of a step of the method, 0 for the base; by default the"
        " checkpoint after the domain's last training",
    )
    budgets: Mapping[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="the share of the loss of each domain's tokens, relative to the others; by default the weight of"
        " the expert that teaches it, else 1",
    )
    extrapolation: float = Field(
        default=1.0,
        gt=0,
        description="λ: the target is the base's policy times (teacher/base)^λ; 1 is the teacher itself",
    )
    lowest_weight: float = Field(default=0.5, ge=0, le=1, description="importance weights are raised to at least this")
    highest_weight: float = Field(default=2.0, ge=1, description="importance weights are cut to at most this")

    @model_validator(mode="after")
    def _without_kl(self) -> Self:
        if self.beta:
            raise ValueError("beta has no effect: the loss is the KL to the teachers")
        return self

    def reads_lineage(self) -> bool:
        return True

    def reads_experts(self) -> bool:
        return True

    def fault_with_experts(self, experts: Mapping[str, Sequence[str]]) -> tuple[str, str, str] | None:
        for domain in sorted({domain for domains in experts.values() for domain in domains}):
            able = [name for name, domains in experts.items() if domain in domains]
            if len(able) > 1 and domain not in self.teachers:
                message = f"{' and '.join(able)} were both trained on {domain}, so which one teaches it is not clear"
                return "merge", message, "merge experts of different domains"
        return None
