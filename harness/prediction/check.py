"""A prediction held against a finished run, beside its rivals."""

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
    """A pair that happened, with what each predictor said of it; keys of `predicted` as in `CHECKED`."""

    pair: ObservedPair
    predicted: Mapping[str, float]


AFTERWARDS = ("edit norm", "KL")
"""Rivals that are known only after the training."""
PREDICTORS = ("predicted damage", "first order", "second order", "negative gradient cosine", *AFTERWARDS)
"""The prediction, its two terms, and the rivals."""


def check(
    predictions: Mapping[Start, Prediction],
    observed: Sequence[ObservedPair],
    folder_of: Callable[[str], Path],
    divergence: Callable[[ObservedPair, Start, Path], float],
) -> tuple[list[CheckedPair], list[Agreement]]:
    """Returns the pairs and the agreements of `PREDICTORS` over them.

    A pair belongs to the first start that fits it. folder_of: the model folder of a checkpoint's key. divergence:
    KL(before ‖ after) of a pair on the harmed domain's prompts, handed the folder after it.
    """
    norms: dict[str, float] = {}
    pairs = []
    for one in observed:
        start = next(start for start in predictions if start.fits(one))
        of = {(p.trained, p.harmed): p for p in predictions[start].pairs}[one.trained, one.harmed]
        if one.after not in norms:
            norms[one.after] = _edit_norm(start.folder, folder_of(one.after))
        after = (norms[one.after], divergence(one, start, folder_of(one.after)))
        predicted = {**before_training(of), **dict(zip(AFTERWARDS, after, strict=True))}
        pairs.append(CheckedPair(pair=one, predicted=predicted))
    truth = _means([(_key(one.pair), one.pair.damage) for one in pairs])
    said = {name: _means([(_key(one.pair), one.predicted[name]) for one in pairs]) for name in PREDICTORS}
    return pairs, agreements(truth, said)


def before_training(pair: PairPrediction) -> dict[str, float]:
    """Returns what each predictor that is known before the training says, by its name; positive is harm."""
    numbers = (pair.damage, -pair.first_order, -pair.second_order, -pair.gradient_cosine)
    return dict(zip(PREDICTORS, numbers, strict=False))


def _key(pair: ObservedPair) -> Key:
    return pair.seed, pair.trained, pair.harmed


def _means(values: Sequence[tuple[Key, float]]) -> dict[Key, float]:
    """Returns the mean by key: a pair that several steps of a seed show is one."""
    groups: dict[Key, list[float]] = {}
    for key, value in values:
        groups.setdefault(key, []).append(value)
    return {key: math.fsum(group) / len(group) for key, group in groups.items()}


def _edit_norm(before: Path, after: Path) -> float:
    from harness.weights import WeightFolder, delta_summary

    return delta_summary(WeightFolder(before), WeightFolder(after)).norm
