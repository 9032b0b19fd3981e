"""Settings of RLOO, those of TRL's RLOOConfig."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.training import OnPolicyConfig


class RLOOConfig(OnPolicyConfig):
    """Settings of RLOO. It has only one loss, and its KL is part of the reward."""

    trl_config: ClassVar[str] = "RLOOConfig"

    beta: float = Field(
        default=0.0,
        ge=0,
        description="weight of the KL to the step's starting checkpoint, which is subtracted from rewards",
    )
