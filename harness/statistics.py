"""Means over seeds and their intervals.

Several seeds: a bootstrap in two levels. Seeds are drawn with replacement, and each drawn seed's number is moved by its
own sampling error, since a second test set would have moved it too. Two or three seeds make a plain bootstrap too
narrow, so their deviations are first widened by sqrt(S / (S − 1)) (the narrowness bias of Hesterberg 2015, "What
teachers should know about the bootstrap"). The spread between seeds already holds some sampling error, so that part
counts twice. One seed: the sampling error alone, and `interval` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.metrics import Z95, Score, recovery_ratio

BOOTSTRAP_DRAWS = 4000
BOOTSTRAP_SEED = 20260601


class Estimate(BaseModel):
    """A mean over seeds.

    ci95: its interval, None where neither seeds nor a sampling error give one. per_seed, stderr: each seed's number and
    sampling standard error, in the row's order of seeds, None where missing. n: test items behind one seed's number.
    interval: what the interval is over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mean: float | None = None
    ci95: tuple[float, float] | None = None
    per_seed: tuple[float | None, ...] = ()
    stderr: tuple[float | None, ...] = ()
    n: int = 0
    interval: Literal["seeds", "sampling"] | None = None

    def scores(self) -> list[Score | None]:
        """Returns each seed's number as a `Score`."""
        return [
            None if value is None else Score(value, error, self.n)
            for value, error in zip(self.per_seed, self.stderr, strict=True)
        ]


def bootstrap_means(values: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns draws × k means of `values` (seeds × k, at least two seeds), resampled as the module says.

    A seed's k numbers are drawn together. The result does not depend on the order of the seeds.
    """
    order = np.lexsort(np.concatenate([errors.T, values.T]))
    values, errors = values[order], errors[order]
    seeds = len(values)
    random = np.random.default_rng(BOOTSTRAP_SEED)
    centre = values.mean(axis=0)
    widened = centre + (values - centre) * np.sqrt(seeds / (seeds - 1))
    chosen = random.integers(0, seeds, size=(BOOTSTRAP_DRAWS, seeds))
    noise = random.standard_normal((BOOTSTRAP_DRAWS, seeds, values.shape[1]))
    means: NDArray[np.float64] = (widened[chosen] + noise * errors[chosen]).mean(axis=1)
    return means


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def estimate(per_seed: Sequence[Score | None], *, floor: float | None = None) -> Estimate:
    """Returns the mean over the seeds that have a score, and its interval; `floor` is the least the number can be."""
    known = [score for score in per_seed if score is not None]
    if not known:
        return Estimate(per_seed=(None,) * len(per_seed), stderr=(None,) * len(per_seed))
    mean = float(np.mean([score.value for score in known]))
    interval: Literal["seeds", "sampling"] | None = None
    ci95 = None
    if len(known) > 1:
        values = np.array([[score.value] for score in known])
        errors = np.array([[score.stderr or 0.0] for score in known])
        ci95, interval = _interval(bootstrap_means(values, errors)[:, 0]), "seeds"
    elif known[0].stderr is not None:
        ci95, interval = (mean - Z95 * known[0].stderr, mean + Z95 * known[0].stderr), "sampling"
    if ci95 is not None and floor is not None:
        ci95 = (max(floor, ci95[0]), max(floor, ci95[1]))
    return Estimate(
        mean=mean,
        ci95=ci95,
        per_seed=tuple(None if score is None else score.value for score in per_seed),
        stderr=tuple(None if score is None else score.stderr for score in per_seed),
        n=min(score.n for score in known),
        interval=interval,
    )


def pooled(estimates: Sequence[Estimate], *, floor: float | None = None) -> Estimate:
    """Returns the estimate over the seeds of all `estimates`, in their order."""
    return estimate([score for one in estimates for score in one.scores()], floor=floor)


def estimate_recovery_ratio(
    peak: Estimate, damaged: Estimate, recovered: Estimate, *, higher_is_better: bool = True
) -> Estimate:
    """Returns the recovery ratio of the means over seeds; `per_seed` holds each seed's own, None where within noise.

    The ratio of means, not the mean of ratios: a seed that was hardly harmed would rule the latter. Its noise test is
    on the means. The interval is None where more than 2.5 % of the draws show no damage: it has no bound then.
    """
    triples = list(zip(peak.scores(), damaged.scores(), recovered.scores(), strict=True))
    known = [(p, d, r) for p, d, r in triples if p is not None and d is not None and r is not None]
    own = [
        None if p is None or d is None or r is None else recovery_ratio(p, d, r, higher_is_better=higher_is_better)
        for p, d, r in triples
    ]
    one_by_one = estimate(own)
    if len(known) < 2:
        return one_by_one
    values = np.array([[score.value for score in triple] for triple in known])
    errors = np.array([[score.stderr or 0.0 for score in triple] for triple in known])
    centre = values.mean(axis=0)
    spread = np.sqrt((errors**2).sum(axis=0)) / len(known)
    means = [Score(float(c), float(s), known[0][0].n) for c, s in zip(centre, spread, strict=True)]
    ratio = recovery_ratio(means[0], means[1], means[2], higher_is_better=higher_is_better)
    if ratio is None:
        return one_by_one.model_copy(update={"mean": None, "ci95": None, "interval": None})
    draws = bootstrap_means(values, errors)
    damage = (draws[:, 0] - draws[:, 1]) * (1.0 if higher_is_better else -1.0)
    bounded = bool((damage <= 0).mean() <= 0.025)
    harmed = draws[damage > 0]
    ci95 = _interval((harmed[:, 2] - harmed[:, 1]) / (harmed[:, 0] - harmed[:, 1])) if bounded else None
    return Estimate(
        mean=ratio.value,
        ci95=ci95,
        per_seed=one_by_one.per_seed,
        stderr=one_by_one.stderr,
        n=min(score.n for triple in known for score in triple),
        interval="seeds" if bounded else None,
    )
