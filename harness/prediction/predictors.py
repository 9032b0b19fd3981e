"""The predictors that `harness predict --check` compares: when each is known, and what it costs.

Sources and formulas: docs/explanation/prediction.md. Positive or larger values are harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.prediction.matrix import PairPrediction, TrainingPace

Known = Literal["before", "during", "after"]
"""When a predictor is known: before the training that it predicts, after a few of its steps, or after its end."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What the predictions at one start take. completions: sampled per domain. domains: their number. pilot: the
    optimizer steps of the pilot, 0 for none."""

    pace: TrainingPace
    completions: int
    domains: int
    pilot: int = 0

    def share(self, domains: int, *, pilot: bool = False, trained: bool = False) -> float:
        """Returns completions, as a share of those of the training: those of `domains` domains, of the pilot, and of
        the whole training."""
        training = self.pace.steps * self.pace.completions_per_step
        steps = self.pilot if pilot else 0
        return domains * self.completions / training + steps / self.pace.steps + int(trained)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A predictor. cost: completions, as a share of those of the training that is predicted, for all domains that it
    may harm; None for predictors that need whole trainings of other seeds."""

    name: str
    known: Known
    cost: Callable[[Effort], float] | None


def _all(effort: Effort) -> float:
    return effort.share(effort.domains)


def _others(effort: Effort) -> float:
    return effort.share(effort.domains - 1)


REFERENCE = "negative gradient cosine"
"""The predictor that the others are compared with."""

PREDICTED = (
    Predictor(name="predicted damage", known="before", cost=_all),
    Predictor(name="first order", known="before", cost=_all),
    Predictor(name="second order", known="before", cost=_all),
    Predictor(name=REFERENCE, known="before", cost=_all),
)
"""The prediction, its two terms, and the baseline of the same measurement: those of every `PairPrediction`."""

RIVALS = (
    Predictor(name="first order, in reward", known="before", cost=_all),
    Predictor(name="reward of the harmed domain", known="before", cost=_others),
    Predictor(name="prompts with an advantage", known="before", cost=lambda effort: effort.share(1)),
    Predictor(name="update overlap", known="before", cost=_all),
    Predictor(name="negative update distance", known="before", cost=_all),
)

PILOTS = (
    Predictor(
        name="pilot",
        known="during",
        cost=lambda effort: effort.share(2 * (effort.domains - 1), pilot=True),
    ),
    Predictor(
        name="pilot, reweighted", known="during", cost=lambda effort: effort.share(effort.domains - 1, pilot=True)
    ),
)

AFTERWARDS = (
    Predictor(name="edit norm", known="after", cost=lambda effort: effort.share(0, trained=True)),
    Predictor(name="KL", known="after", cost=lambda effort: effort.share(effort.domains - 1, trained=True)),
    Predictor(name="KL on the trained domain", known="after", cost=lambda effort: effort.share(1, trained=True)),
)

SAME_PAIR, COMPLETION = "same pair, other seeds", "matrix completion"
COMBINED, COMBINED_PILOT = "combined", "combined with the pilot"
BOOSTED, BOOSTED_NEW = "boosted trees", "boosted trees, new pairs"

FITTED = (
    Predictor(name=SAME_PAIR, known="before", cost=None),
    Predictor(name=COMPLETION, known="after", cost=None),
    Predictor(name=COMBINED, known="before", cost=_all),
    Predictor(name=COMBINED_PILOT, known="during", cost=lambda effort: effort.share(effort.domains, pilot=True)),
    Predictor(name=BOOSTED, known="before", cost=_all),
    Predictor(name=BOOSTED_NEW, known="before", cost=_all),
)
"""Predictors that are fitted to other seeds."""

_CHEAP = (
    "predicted damage",
    "first order, in reward",
    REFERENCE,
    "reward of the harmed domain",
    "prompts with an advantage",
    "update overlap",
)
_BEFORE = tuple(one.name for one in (*PREDICTED, *RIVALS))
INPUTS = {
    COMBINED: _CHEAP,
    COMBINED_PILOT: (*_CHEAP, "pilot, reweighted"),
    BOOSTED: _BEFORE,
    BOOSTED_NEW: _BEFORE,
}
"""The inputs of each regression. Those of `combined` were chosen before any of them was compared with a measurement;
the trees get all that is known before a training."""

PREDICTORS = {one.name: one for one in (*PREDICTED, *RIVALS, *PILOTS, *AFTERWARDS, *FITTED)}


def before_training(pair: PairPrediction) -> dict[str, float]:
    """Returns the values of the predictors in `PREDICTED`, by name."""
    numbers = (pair.damage, -pair.first_order, -pair.second_order, -pair.gradient_cosine)
    return {one.name: number for one, number in zip(PREDICTED, numbers, strict=True)}


def described(name: str) -> str:
    """Returns a predictor's name, and when it is known unless before the training."""
    known = PREDICTORS[name].known if name in PREDICTORS else "before"
    return name if known == "before" else f"{name} (known {known} training)"
