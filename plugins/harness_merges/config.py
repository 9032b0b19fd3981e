"""What merges can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import Config


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
