"""Means over seeds, and ratios of such means, with 95 % confidence intervals.

With several seeds, intervals are Student's t over the seeds, and Fieller's for ratios. With one seed, or if the numbers
of all seeds are equal, the interval is over the test items of one seed; `Estimate.interval` says which one it is.
Intervals are not clipped to the range of a score. All seeds share their test items, so an interval over seeds is
conditional on these items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.results import intervals
from harness.results.metrics import Score, difference, recovery_ratio

Interval = Literal["seeds", "fieller", "unbounded", "wilson", "sampling"]
NOT_DAMAGED = "target not damaged"
DAMAGE_NOT_SHOWN = "damage not shown"


class Estimate(BaseModel):
    """A mean over seeds.

    ci95: its 95 % interval, None if there is none. per_seed, stderr: each seed's number and sampling standard error, in
    the row's order of seeds, None if missing. n: the number of test items per seed. interval: the kind of interval.

    - `seeds`: Student's t over seeds
    - `fieller`: Fieller's interval of a ratio over seeds
    - `unbounded`: Fieller's set is unbounded, so `ci95` is None
    - `wilson`: Wilson's interval over the items of one seed
    - `sampling`: Student's t over the items of one seed, or a combination of several item intervals
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mean: float | None = None
    ci95: tuple[float, float] | None = None
    per_seed: tuple[float | None, ...] = ()
    stderr: tuple[float | None, ...] = ()
    n: int = 0
    interval: Interval | None = None

    def scores(self) -> list[Score | None]:
        """Returns each seed's number as a `Score`. It has an interval if that of the estimate is over test items."""
        of_items = self.interval if self.interval in ("wilson", "sampling") else None
        return [
            None if value is None else Score(value, error, self.n, self.ci95 if of_items else None, of_items)
            for value, error in zip(self.per_seed, self.stderr, strict=True)
        ]


def estimate(per_seed: Sequence[Score | None]) -> Estimate:
    """Returns the mean over the seeds that have a score, and its interval."""
    known = [score for score in per_seed if score is not None]
    values = np.array([score.value for score in known])
    ci95, interval = _of_items(known)
    if len(known) > 1 and not intervals.all_equal(values):
        low, high = intervals.mean_interval(values)
        ci95, interval = (float(low), float(high)), "seeds"
    return Estimate(
        mean=float(np.mean(values)) if known else None,
        ci95=ci95,
        per_seed=tuple(None if score is None else score.value for score in per_seed),
        stderr=tuple(None if score is None else score.stderr for score in per_seed),
        n=min((score.n for score in known), default=0),
        interval=interval,
    )


def _of_items(known: Sequence[Score]) -> tuple[tuple[float, float] | None, Interval | None]:
    """Returns the interval over the items of one seed. More seeds with the same number do not make it narrower."""
    return next(((score.ci95, score.interval) for score in known if score.ci95 is not None), (None, None))


def estimate_damage(peak: Estimate, damaged: Estimate, *, higher_is_better: bool = True) -> Estimate:
    """Returns the target's loss since its peak, per seed. Positive values mean that it got worse."""
    better, worse = (peak, damaged) if higher_is_better else (damaged, peak)
    pairs = zip(better.scores(), worse.scores(), strict=True)
    return estimate([None if a is None or b is None else difference(a, b) for a, b in pairs])


def estimate_recovery_ratio(
    peak: Estimate, damaged: Estimate, recovered: Estimate, *, higher_is_better: bool = True
) -> Estimate:
    """Returns the recovery ratio of the means over seeds.

    `per_seed` holds the ratio of each seed, None if its damage is within noise. The mean is the ratio of means and not
    the mean of ratios, which a seed with little damage would dominate. It is None if the target was not damaged on
    average. The interval is Fieller's, over the seeds that have all three scores. With one seed, the variances are
    those of the test items: (half the interval / 1.96)² for each score. The interval is unbounded if the interval of
    the damage includes 0.
    """
    triples = list(zip(peak.scores(), damaged.scores(), recovered.scores(), strict=True))
    known = [(p, d, r) for p, d, r in triples if p is not None and d is not None and r is not None]
    own = estimate(
        [
            None if p is None or d is None or r is None else recovery_ratio(p, d, r, higher_is_better=higher_is_better)
            for p, d, r in triples
        ]
    )
    values = np.array([[score.value for score in triple] for triple in known]).reshape(-1, 3)
    undone, damage = values[:, 2] - values[:, 1], values[:, 0] - values[:, 1]
    if not known or float(damage.mean()) * (1.0 if higher_is_better else -1.0) <= 0:
        return own.model_copy(update={"mean": None, "ci95": None, "interval": None})
    found: tuple[intervals.RatioSet, Interval] | None = _ratio_of_items(known)
    if len(known) > 1 and not (intervals.all_equal(undone) and intervals.all_equal(damage)):
        found = intervals.ratio_set(undone, damage), "fieller"
    bounded = found is not None and bool(found[0].bounded)
    return Estimate(
        mean=float(undone.mean() / damage.mean()),
        ci95=(float(found[0].low), float(found[0].high)) if found and bounded else None,
        per_seed=own.per_seed,
        stderr=own.stderr,
        n=min(score.n for triple in known for score in triple),
        interval=None if found is None else found[1] if bounded else "unbounded",
    )


def _ratio_of_items(known: Sequence[tuple[Score, Score, Score]]) -> tuple[intervals.RatioSet, Interval] | None:
    """Returns Fieller's set over the test items of the first seed that has intervals for all three scores."""
    for triple in known:
        ends = [score.ci95 for score in triple if score.ci95 is not None]
        if len(ends) == len(triple):
            peak, damaged, recovered = (((high - low) / 2 / intervals.Z95) ** 2 for low, high in ends)
            x, y = triple[2].value - triple[1].value, triple[0].value - triple[1].value
            covariance = np.array([recovered + damaged, peak + damaged, damaged])
            return intervals.fieller(np.array(x), np.array(y), covariance, intervals.Z95), "sampling"
    return None


def recovery_remark(damage: Estimate, ratio: Estimate) -> str:
    """Returns a remark if the target of a recovery was not damaged, or if its damage is not significant.

    Empty if the damage is significant or scores are missing.
    """
    if damage.mean is not None and damage.mean <= 0:
        return NOT_DAMAGED
    return "" if ratio.mean is None or ratio.interval in ("fieller", "sampling") else DAMAGE_NOT_SHOWN
