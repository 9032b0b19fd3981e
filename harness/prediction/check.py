"""Compares predictors with the observed damage of a finished run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.prediction.agreement import Agreement, Key, agreements
from harness.prediction.observed import ObservedPair
from harness.prediction.predictors import PREDICTORS, REFERENCE, Effort


@dataclass(frozen=True, kw_only=True)
class CheckedPair:
    """An observed pair with the value of each predictor, by its name in `PREDICTORS`, and what the predictions took."""

    pair: ObservedPair
    predicted: Mapping[str, float]
    effort: Effort


def agreed(pairs: Sequence[CheckedPair]) -> list[Agreement]:
    """Returns the agreement of each predictor that has a value for all pairs, with its lead over `REFERENCE`."""
    truth = {_key(one.pair): one.pair.damage for one in pairs}
    names = [name for name in PREDICTORS if all(name in one.predicted for one in pairs)]
    said = {name: {_key(one.pair): one.predicted[name] for one in pairs} for name in names}
    return [_described(one, pairs) for one in agreements(truth, said, reference=REFERENCE)]


def _described(found: Agreement, pairs: Sequence[CheckedPair]) -> Agreement:
    """Returns the agreement with when its predictor is known, and its mean cost."""
    predictor = PREDICTORS[found.predictor]
    costs = [] if predictor.cost is None else [predictor.cost(pair.effort) for pair in pairs]
    return replace(found, known=predictor.known, cost=math.fsum(costs) / len(costs) if costs else None)


def _key(pair: ObservedPair) -> Key:
    return pair.seed, pair.trained, pair.harmed, pair.after
