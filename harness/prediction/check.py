"""Compares a prediction and its baselines with a finished run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.prediction.agreement import Agreement, agreements
from harness.prediction.matrix import PairPrediction, Prediction
from harness.prediction.observed import ObservedPair
from harness.prediction.starts import Start

Key = tuple[int, str, str]


@dataclass(frozen=True, kw_only=True)
class CheckedPair:
    """An observed pair with the value of each predictor. The keys of `predicted` are names in `PREDICTORS`."""

    pair: ObservedPair
    predicted: Mapping[str, float]


AFTERWARDS = ("edit norm", "KL")
"""Baselines that are only known after the training."""
PREDICTORS = ("predicted damage", "first order", "second order", "negative gradient cosine", *AFTERWARDS)
"""The prediction, its two terms, and the baselines."""


def check(
    predictions: Mapping[Start, Prediction],
    observed: Sequence[ObservedPair],
    folder_of: Callable[[str], Path],
    divergence: Callable[[ObservedPair, Start, Path], float],
) -> tuple[list[CheckedPair], list[Agreement]]:
    """Returns the pairs and the agreements of `PREDICTORS` over them.

    A pair is assigned to the first start that fits. folder_of: returns the model folder of a checkpoint's key.
    divergence: returns KL(before ‖ after) of a pair on the harmed domain's prompts, given the model folder after it.
    """
    norms: dict[str, float] = {}
    pairs = []
    for one in observed:
        start = next(start for start in predictions if start.fits(one))
        of = {(p.trained, p.harmed): p for p in predictions[start].pairs}[one.trained, one.harmed]
        if one.after not in norms:
            norms[one.after] = _delta_norm(start.folder, folder_of(one.after))
        after = (norms[one.after], divergence(one, start, folder_of(one.after)))
        predicted = {**before_training(of), **dict(zip(AFTERWARDS, after, strict=True))}
        pairs.append(CheckedPair(pair=one, predicted=predicted))
    truth = _means([(_key(one.pair), one.pair.damage) for one in pairs])
    said = {name: _means([(_key(one.pair), one.predicted[name]) for one in pairs]) for name in PREDICTORS}
    return pairs, agreements(truth, said)


def before_training(pair: PairPrediction) -> dict[str, float]:
    """Returns the values of the predictors that are known before training, by name. Positive values are harm."""
    numbers = (pair.damage, -pair.first_order, -pair.second_order, -pair.gradient_cosine)
    return dict(zip(PREDICTORS, numbers, strict=False))


def _key(pair: ObservedPair) -> Key:
    return pair.seed, pair.trained, pair.harmed


def _means(values: Sequence[tuple[Key, float]]) -> dict[Key, float]:
    """Returns the mean by key, so that a pair observed in several steps of a seed counts once."""
    groups: dict[Key, list[float]] = {}
    for key, value in values:
        groups.setdefault(key, []).append(value)
    return {key: math.fsum(group) / len(group) for key, group in groups.items()}


def _delta_norm(before: Path, after: Path) -> float:
    from harness.weights import WeightFolder, delta_summary

    return delta_summary(WeightFolder(before), WeightFolder(after)).norm
