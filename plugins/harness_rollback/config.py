"""What a rollback can be told."""

from typing import Literal

from pydantic import Field

from harness import Config, Workload
from harness.training.workload import gradient_workload


class RollbackConfig(Config):
    """Which coordinates go back, how many of them, and how far."""

    score: Literal["fisher", "gradient", "magnitude", "sign-conflict", "random"] = Field(
        default="fisher", description="how a coordinate's share in the damage is guessed"
    )
    fraction: float = Field(default=0.05, gt=0, le=1, description="share of the eligible coordinates to set back")
    strength: float = Field(default=1.0, gt=0, le=1, description="how far toward the peak: 1 is all the way")
    exclude: tuple[str, ...] = Field(
        default=("norm",), description="parameters with one of these in their name stay as they are"
    )
    completions: int = Field(
        default=128, ge=2, description="sampled completions of the target domain for fisher and gradient"
    )

    def workload(self) -> Workload:
        """Returns what `fisher` and `gradient` sample, whole groups of 8, and go backward over; nothing otherwise."""
        if self.score not in ("fisher", "gradient"):
            return Workload()
        return gradient_workload(self.completions)
