"""Settings of the tests of the local perturbation theory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness import Config

CurvatureName = Literal["hessian", "reward-fisher", "policy-fisher"]


class SubspaceConfig(Config):
    """Which curvature of which domain, from how many completions, and how many of its eigenvectors."""

    target: str | None = Field(
        default=None, description="the harmed domain; by default the one that the method trained first"
    )
    curvature: CurvatureName = Field(
        default="hessian",
        description="of the target at its peak: minus the Hessian of its reward, the second moment of the policy"
        " gradient's terms, or the Fisher matrix of the policy",
    )
    rank: int = Field(default=16, ge=1, description="number of eigenvectors with the largest eigenvalues")
    completions: int = Field(default=1024, ge=2, description="sampled completions of the target, in groups of 8")
    tolerance: float = Field(default=0.01, gt=0, lt=1, description="relative accuracy of the eigenvalues")


class CausalSplitConfig(SubspaceConfig):
    """Settings of `causal-split`."""

    against: tuple[str, ...] = Field(
        default=(), description="the later trained domains whose updates are split; by default all"
    )
    draws: int = Field(default=3, ge=1, description="random subspaces and random directions per update")


class SignedCurvatureConfig(Config):
    """Settings of `signed-curvature`."""

    target: str | None = Field(
        default=None, description="the harmed domain; by default the one that the method trained first"
    )
    against: tuple[str, ...] = Field(
        default=(), description="the later trained domains whose updates are measured; by default all"
    )
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(0.125, 0.25, 0.5, 1.0), min_length=1, description="parts of each update: 1 is the whole"
    )
    completions: int = Field(
        default=1024, ge=2, description="sampled completions of the target, in groups of 8, per measured reward"
    )


class ContractionConfig(SubspaceConfig):
    """Settings of `contraction`."""

    every: int = Field(default=3, ge=1, description="optimizer steps between the measured models of a recovery")
    draws: int = Field(default=3, ge=1, description="random subspaces")

    def reads_states(self) -> int:
        return self.every
