"""Settings of on-policy distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness import TrainingPlace
from harness.training import OnPolicyConfig


def _step_or_method(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
        raise ValueError(f"should be the number of a step, 0 for the base, or the name of a method, not {value!r}")
    return value


class DistillationConfig(OnPolicyConfig):
    """The settings of sampling and optimization, the divergence, and the teachers."""

    trl_config: ClassVar[str] = "GRPOConfig"

    divergence: Literal["vocabulary", "sampled"] = Field(
        default="vocabulary",
        description="reverse KL over the whole vocabulary, or its estimate at the sampled tokens as an advantage",
    )
    teachers: Mapping[str, Annotated[int | str, BeforeValidator(_step_or_method)]] = Field(
        default_factory=dict,
        description="the teacher of a domain: the number of a step of the method, 0 for the base, or the name of"
        " another method, for its last checkpoint; by default the checkpoint after the domain's last training",
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

    def reads_methods(self) -> Mapping[str, str]:
        return {f"teachers.{domain}": named for domain, named in self.teachers.items() if isinstance(named, str)}

    def fault_in_training(self, place: TrainingPlace) -> tuple[str, str, str] | None:
        for key in ("teachers", "budgets"):
            for name in sorted(set(getattr(self, key)) - set(place.domains)):
                message = f"{name} is no domain that this step trains"
                return f"{key}.{name}", message, f"one of {', '.join(place.domains)}"
        steps = ", ".join(f"{step} ({label})" for step, label in enumerate(place.labels))
        for domain, named in self.teachers.items():
            if isinstance(named, int) and named >= len(place.labels):
                message = f"there is no step {named} before this one"
                return f"teachers.{domain}", message, f"the steps so far: {steps}"
        for domain in sorted(set(place.domains) - set(self.teachers) - set(place.peaks)):
            able = [name for name, trained in place.experts.items() if domain in trained]
            hint = f"say who teaches it, for example teachers: {{{domain}: {(able or [0])[0]}}}"
            if not able:
                return "teachers", f"{domain} has no teacher: no step before this one trained it", hint
            if len(able) > 1:
                return "teachers", f"{domain} has several teachers: {', '.join(able)} were trained on it", hint
        return None
