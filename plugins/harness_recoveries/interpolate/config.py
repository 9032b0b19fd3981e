"""Settings of the recovery `interpolate`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from harness import Config, Workload


class InterpolateConfig(Config):
    """How far the weights move toward the peak."""

    alpha: float = Field(default=0.5, gt=0, le=1, description="how far toward the target's peak: 1 is the peak itself")

    def workload(self) -> Workload:
        """Returns no work: nothing is sampled or trained."""
        return Workload()

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Returns a fault where the checkpoint is the target's peak, so that there is nothing to average."""
        if peak < len(labels) - 1:
            return None
        return "recover", "nothing was done since the target's peak", "train on another domain before this step"
