"""Settings of RLOO, which TRL's RLOOConfig knows."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from harness.training import OnPolicyConfig


class RLOOConfig(OnPolicyConfig):
    """Settings of RLOO; it has one loss only, and its KL is part of the reward."""

    trl_config: ClassVar[str] = "RLOOConfig"

    beta: float = Field(
        default=0.0, ge=0, description="weight of the KL to the step's starting checkpoint, a penalty on rewards"
    )
