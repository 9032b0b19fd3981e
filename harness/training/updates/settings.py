"""Settings of the update rules that every algorithm through TRL has. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.plugin.config import Config


class FreezeSettings(Config):
    """The weights with the highest Fisher information of earlier domains do not move."""

    fraction: float = Field(gt=0, lt=1, description="share of all weights that do not move")
    of: Literal["trained"] = Field(
        default="trained", description="whose weights: those of the domains that the method trained before"
    )
    completions: int = Field(
        default=128, ge=2, description="sampled completions per earlier domain for its Fisher information"
    )


class SubspaceSettings(Config):
    """Each step is scaled along the directions in which earlier trainings moved a matrix."""

    rank: int = Field(default=8, ge=1, description="singular directions per matrix and earlier training")
    amplify: float = Field(
        default=0.5, ge=0, description="the part of a step along an earlier change is multiplied by 1 + amplify"
    )
    shrink: float = Field(
        default=0.5, ge=0, le=1, description="the part of a step against an earlier change is multiplied by 1 - shrink"
    )


class AverageSettings(Config):
    """An exponential moving average of the weights."""

    decay: float = Field(default=0.99, gt=0, lt=1, description="average ← decay · average + (1 - decay) · weights")
    use: Literal["anchor", "final", "both"] = Field(
        default="anchor",
        description="anchor: the KL of `beta` is to the policy of the average; final: the average is the result",
    )

    @property
    def is_anchor(self) -> bool:
        """Whether the reference policy is that of the average."""
        return self.use != "final"

    @property
    def is_final(self) -> bool:
        """Whether the result is the average."""
        return self.use != "anchor"
