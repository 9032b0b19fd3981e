"""95 % confidence intervals and significance tests on plain numbers and arrays.

- Mean over seeds: Student's t. The spread between seeds already contains the sampling error.
- Ratio of two means over seeds: Fieller's set, which may be unbounded.
- Proportion, one seed: Wilson's interval over its items.
- Sums and differences of independent scores, each with its own interval: the method of variance estimates recovery
  (Zou and Donner 2008), which keeps the asymmetry of Wilson's interval.
- Several comparisons: Holm's correction.

Functions of arrays reduce the last axis, which holds the seeds. `benchmarks/coverage.py` simulates them directly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
Array = NDArray[np.float64]
_ROUNDING = 1e-12


@lru_cache(maxsize=256)
def t_quantile(degrees: int) -> float:
    """Returns the 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def all_equal(values: Array) -> bool:
    """Returns whether the values are equal up to rounding error."""
    return bool(np.ptp(values) <= max(_ROUNDING, 1e-9 * float(np.abs(values).max())))


def mean_interval(values: Array) -> tuple[Array, Array]:
    """Returns the ends of Student's t interval of the mean over the last axis, which needs at least two values."""
    count = values.shape[-1]
    centre = values.mean(axis=-1)
    half = t_quantile(count - 1) * values.std(axis=-1, ddof=1) / math.sqrt(count)
    return centre - half, centre + half


@dataclass(frozen=True)
class RatioSet:
    """The confidence set of a ratio.

    bounded: if true, the set is the interval from `low` to `high`. Otherwise it is unbounded: every number outside
    `low` to `high`, or every number if these are nan.
    """

    low: Array
    high: Array
    bounded: NDArray[np.bool_]

    def contains(self, ratio: float) -> NDArray[np.bool_]:
        """Returns whether the ratio is in the set."""
        within = (self.low <= ratio) & (ratio <= self.high)
        outside = np.isnan(self.low) | (ratio <= self.low) | (self.high <= ratio)
        found: NDArray[np.bool_] = np.where(self.bounded, within, outside)
        return found


def ratio_set(numerator: Array, denominator: Array) -> RatioSet:
    """Returns Fieller's set of the ratio of two means over the last axis. Values at the same index are paired.

    The set is bounded if and only if Student's t interval of the denominator's mean excludes 0.
    """
    count = numerator.shape[-1]
    x, y = numerator.mean(axis=-1), denominator.mean(axis=-1)
    dx, dy = numerator - x[..., None], denominator - y[..., None]
    scale = count * (count - 1)
    covariance = np.stack([(one * other).sum(axis=-1) / scale for one, other in ((dx, dx), (dy, dy), (dx, dy))])
    return fieller(x, y, covariance, t_quantile(count - 1))


def fieller(x: Array, y: Array, covariance: Array, quantile: float) -> RatioSet:
    """Returns the set of r with (x − r·y)² ≤ quantile² · Var(x − r·y). covariance: (Var x, Var y, Cov(x, y))."""
    square = quantile**2
    xx, yy, xy = covariance
    a, b, c = y * y - square * yy, x * y - square * xy, x * x - square * xx
    bounded = np.asarray(a > 0)
    inside = b * b - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        # For a bounded set, only rounding can make this negative. For an unbounded one, the set is every number.
        root = np.sqrt(np.where(bounded, np.maximum(inside, 0.0), inside))
        one, other = (b - root) / a, (b + root) / a
    return RatioSet(low=np.minimum(one, other), high=np.maximum(one, other), bounded=bounded)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Returns Wilson's interval of a proportion: `scipy.stats.binomtest(…).proportion_ci(method="wilson")`.

    Implemented here because importing scipy.stats takes more than a second.
    """
    share, square = successes / trials, Z95**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)


def combined_interval(
    terms: Sequence[tuple[float, float, tuple[float, float]]],
) -> tuple[float, float]:
    """Returns the interval of Σ weight · value over independent terms, each given as (weight, value, interval).

    The distance from the sum to its upper end is the root of the summed squares of the terms' distances to the ends
    that increase the sum; the lower end likewise.
    """
    total = math.fsum(weight * value for weight, value, _ in terms)
    ends = [sorted((weight * low, weight * high)) for weight, _, (low, high) in terms]
    places = [weight * value for weight, value, _ in terms]
    below = math.hypot(*(place - end[0] for place, end in zip(places, ends, strict=True)))
    above = math.hypot(*(end[1] - place for place, end in zip(places, ends, strict=True)))
    return total - below, total + above


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Returns the two-sided p-value of the paired t test that the mean difference is 0, None for fewer than two.

    If all differences are equal, the t test is undefined and the p-value is that of the sign test.
    """
    values = np.asarray(differences, dtype=np.float64)
    count = len(values)
    if count < 2:
        return None
    mean = float(values.mean())
    if all_equal(values):
        return 1.0 if abs(mean) <= _ROUNDING else 2.0 ** (1 - count)
    from scipy.special import stdtr

    statistic = abs(mean) / (float(values.std(ddof=1)) / math.sqrt(count))
    return float(2 * stdtr(count - 1, -statistic))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns the p-values with Holm's correction. None stays None and does not count as a comparison."""
    known = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for index, (value, place) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - index)))
        corrected[place] = least
    return corrected
