"""The prediction as data: one row per ordered pair of domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingPace:
    """The pace of a training: its learning rate, number of optimizer steps, and completions per step."""

    learning_rate: float
    steps: int
    completions_per_step: int


@dataclass(frozen=True, kw_only=True)
class PairPrediction:
    """The predicted effect of training `trained` on `harmed`, in percent of a standard deviation of the harmed domain's
    reward at the checkpoint. Positive values are harm.

    damage = −(first_order + second_order). Both terms are changes in the expected reward, positive for a gain.
    gradient_cosine: the cosine of the two domains' policy gradients, a baseline that predicts harm if it is low.
    """

    trained: str
    harmed: str
    damage: float
    first_order: float
    second_order: float
    gradient_cosine: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The pairs predicted at one checkpoint with one seed, and the sample sizes per domain."""

    seed: int
    checkpoint: str
    pairs: tuple[PairPrediction, ...]
    completions: int
    generated_tokens: int

    def damages(self) -> Mapping[tuple[str, str], float]:
        """Returns the predicted damage by (trained, harmed)."""
        return {(pair.trained, pair.harmed): pair.damage for pair in self.pairs}
