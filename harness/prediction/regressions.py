"""Regressions of the observed damage on other predictors: fitted to some pairs, they predict the damage of others.

Formulas, and how the settings were chosen: docs/explanation/prediction.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.prediction.check import CheckedPair
from harness.prediction.predictors import BOOSTED, BOOSTED_NEW, COMBINED, COMBINED_PILOT

Array = NDArray[np.float64]
Regression = Callable[[Sequence[CheckedPair], Sequence[CheckedPair], Sequence[str]], Array]
"""Takes the fitted pairs, those to predict, and the names of the inputs; returns the damage of the latter."""

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""The penalties that a fit chooses from, by its error over the fitted seeds, each left out once."""
_FEWEST = 10
"""Trees are fitted to this many pairs or more. Fewer predict their mean."""
_TREES = {"n_estimators": 150, "max_depth": 3, "learning_rate": 0.05, "subsample": 0.7, "random_state": 0}


def combined(fit: Sequence[CheckedPair], wanted: Sequence[CheckedPair], inputs: Sequence[str]) -> Array:
    """Returns the prediction of a ridge regression on standardized inputs, with the penalty of least squared error."""
    x, y = _inputs(fit, inputs), _damage(fit)
    seeds = np.array([one.pair.seed for one in fit])

    def error(penalty: float) -> float:
        out = [seeds == seed for seed in np.unique(seeds)]
        return sum(float(np.square(_ridge(x[~own], y[~own], x[own], penalty) - y[own]).sum()) for own in out)

    return _ridge(x, y, _inputs(wanted, inputs), min(PENALTIES, key=error))


def boosted(fit: Sequence[CheckedPair], wanted: Sequence[CheckedPair], inputs: Sequence[str]) -> Array:
    """Returns the prediction of gradient-boosted regression trees (Friedman 2002), by scikit-learn."""
    from sklearn.ensemble import GradientBoostingRegressor

    if len(fit) < _FEWEST:
        return np.full(len(wanted), _damage(fit).mean() if fit else 0.0)
    model = GradientBoostingRegressor(**_TREES).fit(_inputs(fit, inputs), _damage(fit))
    predicted: Array = model.predict(_inputs(wanted, inputs))
    return predicted


def boosted_for_new_pairs(fit: Sequence[CheckedPair], wanted: Sequence[CheckedPair], inputs: Sequence[str]) -> Array:
    """Returns the same, each pair of domains predicted by trees that were fitted to the other pairs of domains only."""
    found = np.zeros(len(wanted))
    pairs = [_domains(one) for one in wanted]
    for pair in dict.fromkeys(pairs):
        places = [place for place, other in enumerate(pairs) if other == pair]
        others = [one for one in fit if _domains(one) != pair]
        found[places] = boosted(others, [wanted[place] for place in places], inputs)
    return found


REGRESSIONS: Mapping[str, Regression] = {
    COMBINED: combined,
    COMBINED_PILOT: combined,
    BOOSTED: boosted,
    BOOSTED_NEW: boosted_for_new_pairs,
}


def _domains(one: CheckedPair) -> tuple[str, str]:
    return one.pair.trained, one.pair.harmed


def _damage(pairs: Sequence[CheckedPair]) -> Array:
    return np.array([one.pair.damage for one in pairs])


def _inputs(pairs: Sequence[CheckedPair], names: Sequence[str]) -> Array:
    return np.array([[one.predicted[name] for name in names] for one in pairs])


def _ridge(x: Array, y: Array, new: Array, penalty: float) -> Array:
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-12)
    known = (x - centre) / scale
    weights = np.linalg.solve(known.T @ known + penalty * np.eye(x.shape[1]), known.T @ (y - y.mean()))
    predicted: Array = y.mean() + (new - centre) / scale @ weights
    return predicted
