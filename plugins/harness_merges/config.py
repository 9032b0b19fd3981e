"""Settings of the merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from harness import Config


class TaskArithmeticConfig(Config):
    """How the deltas are summed."""

    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="λ, the factor of the merged delta")
    normalize: bool = Field(default=False, description="divide by the sum of the weights of the deltas that were added")


class TiesConfig(TaskArithmeticConfig):
    """TIES. The default density is the paper's."""

    density: float = Field(default=0.2, gt=0, le=1, description="share of each tensor's delta that is kept")
    normalize: bool = Field(default=True, description="divide by the sum of the weights of the deltas that were added")


class DareConfig(TaskArithmeticConfig):
    """DARE. The paper drops 90 % and more of each delta."""

    density: float = Field(default=0.1, gt=0, le=1, description="probability that a weight of a delta is kept")
    rescale: Literal["density", "l1"] = Field(
        default="density",
        description="divide kept weights by density, or preserve each tensor's sum of |delta| as mergekit does",
    )


class SCEConfig(Config):
    """SCE, on the weights in which the experts differ most."""

    density: float = Field(
        default=0.1, gt=0, le=1, description="share of each tensor's weights with differing deltas that is merged"
    )


class TSVConfig(Config):
    """TSV-Merge."""

    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="λ, the factor of the merged delta")


class MixtureConfig(Config):
    """How many experts a token gets, which weights all experts share, and how the routers are made."""

    top_k: int = Field(default=1, ge=1, description="experts per token")
    shared: Literal["mean", "base"] = Field(
        default="mean", description="attention, norms and embeddings: the experts' weighted mean, or the base's"
    )
    prompts: int = Field(
        default=64, ge=1, description="training prompts of each domain whose hidden states make the routers"
    )
    sharpness: float = Field(
        default=4.0,
        gt=0,
        allow_inf_nan=False,
        description="how far an expert's router logit is above the others' for its own prompts, on average",
    )

    def fault_with_experts(self, experts: Mapping[str, Sequence[str]]) -> tuple[str, str, str] | None:
        if self.top_k > len(experts):
            return "top_k", f"is {self.top_k}, and there are {len(experts)} experts", "give a smaller number"
        for name, domains in experts.items():
            if not domains:
                message = f"{name} trained no domain, so no prompts say which tokens it gets"
                return "merge", message, "merge methods that train"
        return None


class GateAccuracyConfig(Config):
    """On how many prompts routers are measured."""

    prompts: int = Field(default=64, ge=1, description="training prompts of each domain")


class DareTiesConfig(DareConfig):
    """DARE with TIES' sign election."""
