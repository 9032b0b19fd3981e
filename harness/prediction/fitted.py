"""Predictors that are fitted to the observed damage of some seeds and predict that of the other, held-out seeds.

Formulas: docs/explanation/prediction.md. Nothing here reads the damage of a pair that it predicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.prediction.check import CheckedPair
from harness.prediction.predictors import COMPLETION, INPUTS, SAME_PAIR
from harness.prediction.regressions import PENALTIES, REGRESSIONS

Array = NDArray[np.float64]

FEWEST = 2
"""The smallest number of fitted seeds. One of them at a time is left out to choose a penalty."""
_ROUNDS = 100


def fitted_seeds(given: Sequence[int] | None, observed: Iterable[int]) -> tuple[int, ...]:
    """Returns the seeds to fit to: those given, or the first half of the observed ones if that is `FEWEST` or more.

    There are none if nothing was observed. Raises UsageError if fewer than `FEWEST` of the given seeds are observed, or
    no other seed is.
    """
    seeds = sorted(set(observed))
    if given is None:
        half = len(seeds) // 2
        return tuple(seeds[:half]) if half >= FEWEST else ()
    fitted = tuple(sorted(set(given) & set(seeds)))
    if given and seeds and (len(fitted) < FEWEST or len(fitted) == len(seeds)):
        raise UsageError(
            f"predictors are fitted to {FEWEST} seeds or more and need another one",
            where="--fit",
            hint=f"seeds with observed trainings: {', '.join(map(str, seeds))}",
        )
    return fitted


def with_fitted(pairs: Sequence[CheckedPair], seeds: Sequence[int]) -> list[CheckedPair]:
    """Returns the pairs of the other seeds with the values of the predictors that are fitted to those of `seeds`."""
    fit = [one for one in pairs if one.pair.seed in seeds]
    held_out = [one for one in pairs if one.pair.seed not in seeds]
    values = {SAME_PAIR: _same_pair(fit, held_out), COMPLETION: _completed(fit, held_out)}
    for name, inputs in INPUTS.items():
        if all(key in one.predicted for one in pairs for key in inputs):
            values[name] = REGRESSIONS[name](fit, held_out, inputs)
    return [
        replace(
            one,
            predicted={**one.predicted, **{name: float(of[place]) for name, of in values.items()}},
        )
        for place, one in enumerate(held_out)
    ]


def _same_pair(fit: Sequence[CheckedPair], held_out: Sequence[CheckedPair]) -> Array:
    """Returns the mean damage of the same training to the same domain over the fitted seeds."""
    table = _Table(fit)
    return np.array([table.means[table.column(one)] for one in held_out])


def _completed(fit: Sequence[CheckedPair], held_out: Sequence[CheckedPair]) -> Array:
    """Returns each pair's damage by completion of a matrix of seeds and (training, domain).

    In the row of a held-out seed, only the damage of the same training to the other domains is known, because the
    damage of the training before and after shares a measured score with the hidden one.
    """
    table = _Table(fit)
    penalty = min(PENALTIES, key=table.error)
    found = []
    for one in held_out:
        row = np.full(table.matrix.shape[1], np.nan)
        for other in held_out:
            if other.pair.after == one.pair.after and other.pair.harmed != one.pair.harmed:
                row[table.column(other)] = other.pair.damage
        row[table.unknown] = np.nan
        found.append(_soft_impute(np.vstack([table.matrix, row]), table.means, penalty)[-1, table.column(one)])
    return np.array(found)


class _Table:
    """The damage of the fitted seeds: a row per seed, a column per training and domain. The last column is for pairs
    that no fitted seed has; its mean is that of all."""

    def __init__(self, fit: Sequence[CheckedPair]) -> None:
        places = sorted({_place(one) for one in fit})
        seeds = sorted({one.pair.seed for one in fit})
        self._columns = {place: number for number, place in enumerate(places)}
        self.unknown = len(places)
        self.matrix: Array = np.full((len(seeds), len(places) + 1), np.nan)
        for one in fit:
            self.matrix[seeds.index(one.pair.seed), self.column(one)] = one.pair.damage
        overall = float(np.mean([one.pair.damage for one in fit]))
        self.means: Array = np.append(np.nanmean(self.matrix[:, :-1], axis=0), overall)

    def column(self, one: CheckedPair) -> int:
        return self._columns.get(_place(one), self.unknown)

    def error(self, penalty: float) -> float:
        """Returns the squared error over the fitted seeds, each left out, with the rest of its training known."""
        total = 0.0
        for seed, row in enumerate(self.matrix):
            others = np.delete(self.matrix, seed, axis=0)
            means = np.where(np.isnan(others).all(axis=0), self.means, _means(others))
            for column in np.flatnonzero(~np.isnan(row)).tolist():
                known = np.full_like(row, np.nan)
                same = [number for number in self._same_training(column) if number != column]
                known[same] = row[same]
                completed = _soft_impute(np.vstack([others, known]), means, penalty)[-1, column]
                total += float(completed - row[column]) ** 2
        return total

    def _same_training(self, column: int) -> list[int]:
        places = list(self._columns)
        return [number for number, place in enumerate(places) if place[0] == places[column][0]]


def _means(matrix: Array) -> Array:
    known = ~np.isnan(matrix)
    means: Array = np.where(known, matrix, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return means


def _place(one: CheckedPair) -> tuple[str, str]:
    return one.pair.place, one.pair.harmed


def _soft_impute(matrix: Array, means: Array, penalty: float) -> Array:
    """Returns the matrix with its nan values completed: column means and a part of low nuclear norm (soft-impute)."""
    known = ~np.isnan(matrix)
    centred = np.where(known, matrix - means, 0.0)
    low = np.zeros_like(centred)
    for _ in range(_ROUNDS):
        left, sizes, right = np.linalg.svd(np.where(known, centred, low), full_matrices=False)
        low = (left * np.maximum(sizes - penalty, 0)) @ right
    completed: Array = low + means
    return completed
