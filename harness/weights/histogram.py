"""Computes the exact k-th highest score, or the score at which the highest scores reach a share of the sum.

Takes two passes over the scores and stores none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

_BINS = 1 << 16
_Keys = npt.NDArray[np.int64]

Passes = Callable[[], Iterable[torch.Tensor]]
"""Starts a pass over the scores, in fp32; every pass must give the same ones."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """value: the lowest selected score. count: how many scores are selected, including some that equal value."""

    value: float
    count: int


def threshold_of_count(passes: Passes, count: int) -> Threshold:
    """Returns the `count`-th highest score. Memory: 65,536 counters and one chunk."""
    high, above = _bin_of(_histogram(passes, None), count)
    low, _ = _bin_of(_histogram(passes, high), count - above)
    return Threshold(value=_value(high, low), count=count)


def threshold_of_share(passes: Passes, share: float) -> Threshold:
    """Returns the threshold of the fewest highest scores whose sum is at least `share` of the sum of all scores.

    Sums are in fp64. Raises ValueError if a score is negative or all are 0.
    """
    masses = np.zeros(_BINS)
    counts = np.zeros(_BINS, dtype=np.int64)
    for scores in passes():
        if float(scores.min()) < 0:
            raise ValueError("a share of the sum needs scores that are never negative")
        keys = _keys(scores) >> 16
        masses += np.bincount(keys, weights=scores.numpy(), minlength=_BINS)
        counts += np.bincount(keys, minlength=_BINS)
    wanted = share * float(masses.sum())
    if wanted <= 0:
        raise ValueError("all scores are 0")
    high, above_mass, above_count = _mass_bin(masses, counts, wanted)
    inside = _histogram(passes, high)
    values = np.array([_value(high, int(low)) for low in np.flatnonzero(inside)])
    exact = np.zeros(_BINS)
    exact[np.flatnonzero(inside)] = values * inside[inside > 0]
    low, mass, count = _mass_bin(exact, inside, wanted - above_mass)
    value = _value(high, low)
    ties = min(int(inside[low]), max(1, math.ceil((wanted - above_mass - mass) / value)))
    return Threshold(value=value, count=above_count + count + ties)


def _keys(scores: torch.Tensor) -> _Keys:
    """Returns integers from 0 to 2^32 − 1 that sort as the scores do; −0 equals 0."""
    bits = (scores + 0.0).view(torch.int32).numpy().astype(np.int64)
    return np.where(bits >= 0, bits + (1 << 31), ~bits & 0x7FFFFFFF)


def _value(high: int, low: int) -> float:
    """Returns the score of a key."""
    key = (high << 16) | low
    bits = key - (1 << 31) if key >= 1 << 31 else ~key | ~0x7FFFFFFF
    return float(np.array(bits, dtype=np.int64).astype(np.int32).view(np.float32))


def _histogram(passes: Passes, high: int | None) -> _Keys:
    """Counts scores by the high 16 bits of their keys; with `high`, those with these high bits by the low 16 bits."""
    counts = np.zeros(_BINS, dtype=np.int64)
    for scores in passes():
        keys = _keys(scores)
        keys = keys >> 16 if high is None else keys[keys >> 16 == high] & 0xFFFF
        counts += np.bincount(keys, minlength=_BINS)
    return counts


def _bin_of(counts: _Keys, count: int) -> tuple[int, int]:
    """Returns the bin of the `count`-th highest score, and the number of scores in the bins above it."""
    from_top = counts[::-1].cumsum()
    place = int(np.searchsorted(from_top, count))
    return _BINS - 1 - place, int(from_top[place - 1]) if place else 0


def _mass_bin(masses: npt.NDArray[np.float64], counts: _Keys, wanted: float) -> tuple[int, float, int]:
    """Returns the bin in which the sum of the highest scores reaches `wanted`, and the sum and count above it."""
    from_top = masses[::-1].cumsum()
    place = min(int(np.searchsorted(from_top, wanted)), _BINS - 1)
    while masses[::-1][place] == 0 and place:  # rounding carried the sum past the last bin that has any
        place -= 1
    return _BINS - 1 - place, float(from_top[place - 1]) if place else 0.0, int(counts[::-1][:place].sum())
