"""Settings of the recovery `refresh`, beside those of the algorithm that it trains with."""

from __future__ import annotations

from pydantic import Field

from harness import Config, Workload
from harness.training import ConflictSettings, OnPolicyConfig


class RefreshConfig(Config):
    """Which weights are trained."""

    mask: ConflictSettings | None = Field(
        default=None,
        exclude_if=lambda mask: mask is None,
        description="train only the weights that damaged the target most, `{score, fraction, granularity, exclude,"
        " completions}` as in rollback; null: all weights",
    )

    def workload(self) -> Workload:
        """Returns the measurements that the mask needs; the training's work is that of its algorithm."""
        return Workload() if self.mask is None else self.mask.workload()

    def fault_with_training(self, training: Config) -> tuple[str, str, str] | None:
        """Refuses algorithms that cannot train a part of the model's own weights."""
        if self.mask is None:
            return None
        if not isinstance(training, OnPolicyConfig):
            return "mask", "this algorithm cannot train a part of the weights", "use one that trains through TRL"
        if training.lora is not None:
            return "mask", "applies to the model's own weights, and lora trains others", "leave out mask or lora"
        return None
