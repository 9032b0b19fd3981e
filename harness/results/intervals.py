"""95 % intervals and the tests that go with them. Nothing here knows of methods, domains or records.

- Mean over seeds: Student's t. The spread between seeds contains the sampling error, so the sampling error is not
  added again.
- Ratio of two means over seeds: Fieller's set, which may be unbounded.
- One seed of a proportion: Wilson's interval over its items.
- Sums and differences of independent scores, each with its own interval: the method of variance estimates recovery
  (Zou and Donner 2008), which keeps the asymmetry of Wilson's interval.
- Several comparisons: Holm's correction.

Functions of arrays take seeds along the last axis, so that `benchmarks/coverage.py` simulates these functions
themselves.
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
    """Returns whether the values differ by no more than rounding."""
    return bool(np.ptp(values) <= max(_ROUNDING, 1e-9 * float(np.abs(values).max())))


def mean_interval(values: Array) -> tuple[Array, Array]:
    """Returns both ends of Student's t interval of the mean over the last axis, of at least two values."""
    count = values.shape[-1]
    centre = values.mean(axis=-1)
    half = t_quantile(count - 1) * values.std(axis=-1, ddof=1) / math.sqrt(count)
    return centre - half, centre + half


@dataclass(frozen=True)
class RatioSet:
    """The values of a ratio that the data do not exclude.

    bounded: where true, the set is the interval from `low` to `high`. Elsewhere the set has no bound: it is everything
    outside `low` to `high`, or, where these are nan, every number.
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
    """Returns Fieller's set of the ratio of two means over the last axis; values at the same place belong together.

    It is bounded where Student's t interval of the denominator's mean excludes 0, and only there.
    """
    count = numerator.shape[-1]
    x, y = numerator.mean(axis=-1), denominator.mean(axis=-1)
    dx, dy = numerator - x[..., None], denominator - y[..., None]
    scale = count * (count - 1)
    covariance = np.stack([(one * other).sum(axis=-1) / scale for one, other in ((dx, dx), (dy, dy), (dx, dy))])
    return fieller(x, y, covariance, t_quantile(count - 1))


def fieller(x: Array, y: Array, covariance: Array, quantile: float) -> RatioSet:
    """Returns the set of r with (x − r·y)² ≤ quantile² · Var(x − r·y). covariance: Var x, Var y and Cov(x, y)."""
    square = quantile**2
    xx, yy, xy = covariance
    a, b, c = y * y - square * yy, x * y - square * xy, x * x - square * xx
    bounded = np.asarray(a > 0)
    inside = b * b - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of a bounded set, rounding alone can make this negative; of an unbounded one, it means every number.
        root = np.sqrt(np.where(bounded, np.maximum(inside, 0.0), inside))
        one, other = (b - root) / a, (b + root) / a
    return RatioSet(low=np.minimum(one, other), high=np.maximum(one, other), bounded=bounded)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Returns Wilson's interval of a proportion, as `scipy.stats.binomtest(…).proportion_ci(method="wilson")` does.

    Written out, since importing scipy.stats takes over a second.
    """
    share, square = successes / trials, Z95**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)


def combined_interval(
    terms: Sequence[tuple[float, float, tuple[float, float]]],
) -> tuple[float, float]:
    """Returns the interval of Σ weight · value of independent terms, each (weight, value, its own interval).

    The distance from the sum to each end is the root of the sum of squares of the distances of the terms' ends that
    pull in that direction.
    """
    total = math.fsum(weight * value for weight, value, _ in terms)
    ends = [sorted((weight * low, weight * high)) for weight, _, (low, high) in terms]
    places = [weight * value for weight, value, _ in terms]
    below = math.hypot(*(place - end[0] for place, end in zip(places, ends, strict=True)))
    above = math.hypot(*(end[1] - place for place, end in zip(places, ends, strict=True)))
    return total - below, total + above


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Returns the two-sided p-value of the paired t test that the mean difference is 0; None for fewer than two.

    Differences that are all equal have no spread for the t test; the sign test's p-value stands in for it.
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
    """Returns the p-values after Holm's correction, None where there is none; those count as no comparison."""
    known = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for index, (value, place) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - index)))
        corrected[place] = least
    return corrected
