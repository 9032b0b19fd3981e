"""The settings by which a recovery selects the weights that damaged its target. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.plugin.config import Config
from harness.plugin.workload import Workload
from harness.training.workload import gradient_workload
from harness.weights.parameter_groups import Granularity

ScoreName = Literal["fisher", "reward-fisher", "gradient", "magnitude", "sign-conflict", "random"]

GRADIENT_SCORES = frozenset({"fisher", "reward-fisher", "gradient"})
"""The scores that need gradients of sampled completions."""

FRACTION = 0.05


class ConflictSettings(Config):
    """Which weights are selected, by their share of the damage, and how many."""

    score: ScoreName = Field(default="fisher", description="how each weight's share of the damage is estimated")
    granularity: Granularity = Field(
        default="coordinate",
        description="what is selected as a unit: a weight, an MLP neuron, or a module of a layer",
    )
    fraction: float = Field(default=FRACTION, gt=0, le=1, description="share of the eligible weights to select")
    exclude: tuple[str, ...] = Field(
        default=("norm",),
        description="parameters with one of these in their name are not selected; norm means norms of any name",
    )
    completions: int = Field(default=128, ge=2, description="sampled completions of the target domain for gradients")

    def workload(self) -> Workload:
        """Returns the sampling, in whole groups of 8, and backward passes of a score by gradients; else nothing."""
        return gradient_workload(self.completions) if self.score in GRADIENT_SCORES else Workload()
