"""Compares predictors with the observed damage of a finished run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.prediction.agreement import Agreement, Key, agreements
from harness.prediction.observed import ObservedPair
from harness.prediction.predictors import PREDICTORS, REFERENCE


@dataclass(frozen=True, kw_only=True)
class CheckedPair:
    """An observed pair with the value of each predictor, and what the predictor cost, as a share of the completions of
    the training. The keys of both are names in `PREDICTORS`."""

    pair: ObservedPair
    predicted: Mapping[str, float]
    costs: Mapping[str, float]


def agreed(pairs: Sequence[CheckedPair]) -> list[Agreement]:
    """Returns the agreement of each predictor that has a value for all pairs, with its lead over `REFERENCE`."""
    truth = {_key(one.pair): one.pair.damage for one in pairs}
    names = [name for name in PREDICTORS if all(name in one.predicted for one in pairs)]
    said = {name: {_key(one.pair): one.predicted[name] for one in pairs} for name in names}
    return [
        replace(one, known=PREDICTORS[one.predictor].known, cost=_mean([pair.costs[one.predictor] for pair in pairs]))
        for one in agreements(truth, said, reference=REFERENCE)
    ]


def _key(pair: ObservedPair) -> Key:
    return pair.seed, pair.trained, pair.harmed, pair.after


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
