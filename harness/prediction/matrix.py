"""The predicted matrix as data: a row an ordered pair of domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingPace:
    """How fast a training goes: its learning rate, its optimizer steps, and the completions of one of them."""

    learning_rate: float
    steps: int
    completions_per_step: int


@dataclass(frozen=True, kw_only=True)
class PairPrediction:
    """What training `trained` is expected to do to `harmed`, in percent of a standard deviation of the harmed domain's
    reward at the checkpoint; positive is harm.

    damage = −(first_order + second_order), the two terms being changes in the expected reward, positive for a gain.
    gradient_cosine: of the two domains' policy gradients, the first rival, which predicts harm where it is low.
    """

    trained: str
    harmed: str
    damage: float
    first_order: float
    second_order: float
    gradient_cosine: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The pairs predicted at one checkpoint with one seed, and what was sampled of each domain for it."""

    seed: int
    checkpoint: str
    pairs: tuple[PairPrediction, ...]
    completions: int
    generated_tokens: int

    def damages(self) -> Mapping[tuple[str, str], float]:
        """Returns the predicted damage by (trained, harmed)."""
        return {(pair.trained, pair.harmed): pair.damage for pair in self.pairs}
