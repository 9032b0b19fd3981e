"""What merges and the interpolation can be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness import Config, Workload


class TaskArithmeticConfig(Config):
    """How the edits are summed."""

    scale: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="λ, by which the merged edit is multiplied"
    )
    normalize: bool = Field(default=False, description="divide by the sum of the weights of the edits taken")


class TiesConfig(TaskArithmeticConfig):
    """TIES: the paper keeps a fifth of each edit."""

    density: float = Field(default=0.2, gt=0, le=1, description="share of each tensor's edit that stays")
    normalize: bool = Field(default=True, description="divide by the sum of the weights of the edits taken")


class DareConfig(TaskArithmeticConfig):
    """DARE: the paper drops nine tenths and more of each edit."""

    density: float = Field(default=0.1, gt=0, le=1, description="probability that a coordinate of an edit stays")
    rescale: Literal["density", "l1"] = Field(
        default="density",
        description="divide what stays by density, or keep each tensor's sum of |edit| as mergekit does",
    )


class DareTiesConfig(DareConfig):
    """DARE, with the signs elected as TIES does."""


class InterpolateConfig(Config):
    """How far the checkpoint goes."""

    alpha: float = Field(default=0.5, gt=0, le=1, description="how far toward the target's peak: 1 is the peak itself")

    def workload(self) -> Workload:
        """Returns that nothing is sampled or trained."""
        return Workload()

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Returns that there is nothing to interpolate where the checkpoint is the peak itself."""
        if peak < len(labels) - 1:
            return None
        return "recover", "nothing was done since the target's peak", "train on another domain before this step"
