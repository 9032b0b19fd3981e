"""The 95 % confidence interval of one checkpoint's score over its test items."""

from __future__ import annotations

import math

from harness.results.intervals import t_quantile, wilson
from harness.results.metrics import Score

_CLOSE = 1e-6


def item_score(value: float, stderr: float | None, n: int, *, percent: bool) -> Score:
    """Returns the mean over `n` items as a score with its interval, times 100 if `percent`.

    The interval is Wilson's if every item scores 0 or 1, and otherwise (graded rewards, judge scores) Student's t over
    the items. There is no interval without a standard error, or if all items have the same score and are not known to
    be 0 or 1: a spread of zero says nothing about other items.
    """
    scale = 100.0 if percent else 1.0
    if stderr is None:
        return Score(value * scale, None, n)
    score = Score(value * scale, stderr * scale, n)
    if _is_proportion(value, stderr, n, percent=percent):
        low, high = wilson(round(value * n), n)
        return Score(score.value, score.stderr, n, (low * scale, high * scale), "wilson")
    if stderr <= 0 or n < 2:
        return score
    half = t_quantile(n - 1) * stderr * scale
    return Score(score.value, score.stderr, n, (score.value - half, score.value + half), "sampling")


def _is_proportion(value: float, stderr: float, n: int, *, percent: bool) -> bool:
    """Returns whether every item scores 0 or 1.

    For a given mean, scores from 0 to 1 reach the largest possible standard error only if all are 0 or 1. Without any
    spread, they are all 0 or 1 if the mean is 0 or 1, provided that the scale cannot exceed 1.
    """
    if n < 1 or not 0.0 <= value <= 1.0 or abs(value * n - round(value * n)) > _CLOSE * n:
        return False
    if value in (0.0, 1.0):
        return percent and stderr == 0
    variance = value * (1 - value)
    # lm-eval divides by n − 1; a third-party task may divide by n.
    return any(
        math.isclose(stderr, math.sqrt(variance / divisor), rel_tol=_CLOSE) for divisor in (n - 1, n) if divisor > 0
    )
