"""Rank correlations between predictions and observed damage, with intervals and comparisons between predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

DRAWS = 2000
SEED = 20260601


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """spearman: rank correlation with the observed damage, None if either is constant. ci95: its percentile interval
    over bootstrap samples. margin, margin_ci95: the correlation of the first predictor minus that of this one."""

    predictor: str
    spearman: float | None
    ci95: tuple[float, float] | None
    margin: float | None = None
    margin_ci95: tuple[float, float] | None = None


def agreements(
    observed: Mapping[tuple[int, str, str], float], predictors: Mapping[str, Mapping[tuple[int, str, str], float]]
) -> list[Agreement]:
    """Returns one agreement per predictor, with the margin of the first predictor over each.

    Keys are (seed, trained, harmed). The pairs of all seeds are ranked together. A bootstrap sample draws seeds and
    ordered pairs with replacement, and uses each drawn pair with all drawn seeds, because seeds share the base model
    and their values of a pair are not independent. The interval includes the sampling error of scores only as far as
    it appears between seeds. The bootstrap is seeded.
    """
    keys = sorted(observed)
    truth = np.array([observed[key] for key in keys])
    values = {name: np.array([of[key] for key in keys]) for name, of in predictors.items()}
    draws = _draws(keys)
    drawn = {name: _drawn(truth, one, draws) for name, one in values.items()}
    first = next(iter(values))
    result = []
    for name, one in values.items():
        correlation, margin = rank_correlation(truth, one), None
        if (
            name != first
            and correlation is not None
            and (of_first := rank_correlation(truth, values[first])) is not None
        ):
            margin = of_first - correlation
        result.append(
            Agreement(
                predictor=name,
                spearman=correlation,
                ci95=_interval(drawn[name]) if correlation is not None else None,
                margin=margin,
                margin_ci95=_interval(drawn[first] - drawn[name]) if margin is not None else None,
            )
        )
    return result


def _draws(keys: Sequence[tuple[int, str, str]]) -> list[NDArray[np.int64]]:
    places = {key: place for place, key in enumerate(keys)}
    seeds = sorted({key[0] for key in keys})
    pairs = sorted({key[1:] for key in keys})
    random = np.random.default_rng(SEED)
    draws = []
    for _ in range(DRAWS):
        some_seeds = random.integers(len(seeds), size=len(seeds))
        some_pairs = random.integers(len(pairs), size=len(pairs))
        chosen = [(seeds[s], *pairs[p]) for p in some_pairs for s in some_seeds]
        draws.append(np.array([places[key] for key in chosen if key in places], dtype=np.int64))
    return draws


def _drawn(
    first: NDArray[np.float64], second: NDArray[np.float64], draws: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Returns the correlation of each bootstrap sample. Samples of equal size are batched."""
    found = np.full(len(draws), np.nan)
    sizes = np.array([len(draw) for draw in draws])
    for size in np.unique(sizes):
        places = np.flatnonzero(sizes == size)
        chosen = np.stack([draws[int(place)] for place in places])
        found[places] = _rank_correlations(first[chosen], second[chosen])
    return found


def rank_correlation(
    first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]
) -> float | None:
    """Returns Spearman's rank correlation with mean ranks for ties, None for fewer than three points or if either
    sequence is constant."""
    value = float(_rank_correlations(np.array([first]), np.array([second]))[0])
    return None if np.isnan(value) else value


def _rank_correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the rank correlation of each row (Pearson's correlation of the ranks), nan if it is undefined."""
    if first.shape[1] < 3:
        return np.full(len(first), np.nan)
    one, two = (rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (first, second))
    norm = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    found: NDArray[np.float64] = np.full(len(first), np.nan)
    np.divide((one * two).sum(axis=1), norm, out=found, where=norm > 0)
    return found


def _interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
