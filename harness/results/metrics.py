"""The metrics of continual learning and of recovery, for one method and one seed.

`a[k, j]` is the score on domain j after step k, step 0 being the base model; `l(j)` is the last training of j. A metric
takes and returns `Score`s. Sampling standard errors are propagated linearly, and the intervals over test items by
`harness.results.intervals.combined_interval`, both as if the scores were independent. Checkpoints are scored on the
same items, so that differences come out on the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.results.intervals import Z95, combined_interval

Sampling = Literal["wilson", "sampling"]


@dataclass(frozen=True, slots=True)
class Score:
    """A number, its sampling standard error (None where it is not known), and the test items behind it.

    n of a difference is the smaller one; n of a mean over domains is their sum. ci95: the 95 % interval over these
    items, None where unknown. interval: what it is: Wilson's, or `sampling`, that of the items' spread or combined from
    several scores.
    """

    value: float
    stderr: float | None
    n: int
    ci95: tuple[float, float] | None = None
    interval: Sampling | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepScores:
    """A checkpoint of a method: the domains its step trained, the domain it recovered, and its scores by domain."""

    scores: Mapping[str, Score]
    trained: tuple[str, ...] = ()
    recovered: str | None = None


def _norm(errors: Iterable[float | None]) -> float | None:
    known = list(errors)
    present = [error for error in known if error is not None]
    return math.sqrt(sum(error * error for error in present)) if len(present) == len(known) else None


def _sum(terms: Sequence[tuple[float, Score]], n: int) -> Score:
    """Returns Σ weight · score."""
    known = [(weight, score.value, score.ci95) for weight, score in terms if score.ci95 is not None]
    whole = len(known) == len(terms)
    return Score(
        math.fsum(weight * score.value for weight, score in terms),
        _norm(None if score.stderr is None else weight * score.stderr for weight, score in terms),
        n,
        combined_interval(known) if whole else None,
        "sampling" if whole else None,
    )


def difference(left: Score, right: Score) -> Score:
    """Returns left − right."""
    return _sum([(1.0, left), (-1.0, right)], min(left.n, right.n))


def mean(scores: Sequence[Score]) -> Score | None:
    """Returns the mean, of independent scores; None of none."""
    if len(scores) < 2:
        return scores[0] if scores else None
    total, count = _sum([(1.0, score) for score in scores], sum(score.n for score in scores)), len(scores)
    return Score(
        total.value / count,
        None if total.stderr is None else total.stderr / count,
        total.n,
        None if total.ci95 is None else (total.ci95[0] / count, total.ci95[1] / count),
        total.interval,
    )


def average(scores: Mapping[str, Score], columns: Sequence[str]) -> Score | None:
    """Returns the mean over `columns`, which must share the direction "higher is better"; None where one is missing."""
    if any(column not in scores for column in columns):
        return None
    return mean([scores[column] for column in columns])


def last_training(steps: Sequence[StepScores], domain: str) -> int | None:
    """Returns l(j): the index of the last training of `domain`, or None.

    A recovery is no training, also where it trains: a refreshed domain is measured against its peak before the damage.
    """
    trainings = [index for index, step in enumerate(steps) if step.recovered is None and domain in step.trained]
    return trainings[-1] if trainings else None


def forgetting(steps: Sequence[StepScores], domain: str, *, higher_is_better: bool = True) -> Score | None:
    """Returns max over k < end of a[k, j] − a[end, j]: positive where the domain got worse, negative where it gained.

    With lower is better the sign is turned, so that positive is worse in every column. None where the end or all
    earlier scores are missing. After Chaudhry et al. 2018 (arXiv 1801.10112), with the base among the k.
    """
    if not steps or domain not in steps[-1].scores:
        return None
    earlier = [step.scores[domain] for step in steps[:-1] if domain in step.scores]
    if not earlier:
        return None
    end = steps[-1].scores[domain]
    if not higher_is_better:
        return difference(end, min(earlier, key=lambda score: score.value))
    return difference(max(earlier, key=lambda score: score.value), end)


def transfer(steps: Sequence[StepScores], domain: str) -> Score | None:
    """Returns a[end, j] − a[l(j), j]; None where no step before the last trained the domain or a score is missing."""
    last = last_training(steps, domain)
    if last is None or last == len(steps) - 1 or any(domain not in steps[k].scores for k in (last, -1)):
        return None
    return difference(steps[-1].scores[domain], steps[last].scores[domain])


def exposed_domains(steps: Sequence[StepScores], columns: Sequence[str]) -> list[str]:
    """Returns the columns that a later training could have harmed: those last trained before the last training.

    Forgetting and backward transfer are means over these. A recovery at the end of a method does not change the set, so
    a method and its recovered twin are compared over the same domains; harm done by a recovery is its collateral.
    """
    trainings = [index for index, step in enumerate(steps) if step.trained and step.recovered is None]
    exposed = []
    for column in columns:
        last = last_training(steps, column)
        if last is not None and last < trainings[-1]:
            exposed.append(column)
    return exposed


def mean_forgetting(steps: Sequence[StepScores], columns: Sequence[str]) -> Score | None:
    """Returns the mean forgetting of the exposed domains; None where there are none or one of them has no score."""
    terms = [forgetting(steps, column) for column in exposed_domains(steps, columns)]
    known = [term for term in terms if term is not None]
    return mean(known) if len(known) == len(terms) else None


def backward_transfer(steps: Sequence[StepScores], columns: Sequence[str]) -> Score | None:
    """Returns the mean of a[end, j] − a[l(j), j] over the exposed domains: negative where later steps harmed them.

    Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), with l(j) in place of the j-th step.
    """
    terms = [transfer(steps, column) for column in exposed_domains(steps, columns)]
    known = [term for term in terms if term is not None]
    return mean(known) if len(known) == len(terms) else None


def within_noise(peak: Score, damaged: Score, *, higher_is_better: bool = True, z: float = Z95) -> bool:
    """Returns whether the damage is no larger than z · sqrt(stderr_peak² + stderr_damaged²).

    An unknown standard error counts as zero. No damage, or a gain, is always within noise.
    """
    damage = peak.value - damaged.value if higher_is_better else damaged.value - peak.value
    return damage <= z * math.hypot(peak.stderr or 0.0, damaged.stderr or 0.0)


def recovery_ratio(peak: Score, damaged: Score, recovered: Score, *, higher_is_better: bool = True) -> Score | None:
    """Returns (recovered − damaged) / (peak − damaged): 0 nothing, 1 all of the damage undone; it may exceed 1.

    None where the damage is within noise, since a ratio to nothing says nothing. The standard error is the delta
    method's.
    """
    if within_noise(peak, damaged, higher_is_better=higher_is_better):
        return None
    damage = peak.value - damaged.value
    ratio = (recovered.value - damaged.value) / damage
    error = None
    if peak.stderr is not None and damaged.stderr is not None and recovered.stderr is not None:
        error = math.hypot(recovered.stderr, (1.0 - ratio) * damaged.stderr, ratio * peak.stderr) / abs(damage)
    return Score(ratio, error, min(peak.n, damaged.n, recovered.n))


def retention(score: Score, peak: Score) -> Score | None:
    """Returns score / peak, the share of the peak that is left; None where the peak is not positive."""
    if peak.value <= 0:
        return None
    ratio = score.value / peak.value
    error = None
    if score.stderr is not None and peak.stderr is not None:
        error = math.hypot(score.stderr, ratio * peak.stderr) / peak.value
    return Score(ratio, error, min(score.n, peak.n))


def _others(
    before: Mapping[str, Score], after: Mapping[str, Score], target: str, columns: Sequence[str]
) -> list[Score] | None:
    others = [column for column in columns if column != target]
    if any(column not in before or column not in after for column in others):
        return None
    return [difference(after[column], before[column]) for column in others]


def net_change(
    before: Mapping[str, Score], after: Mapping[str, Score], target: str, columns: Sequence[str]
) -> Score | None:
    """Returns the mean over j ≠ target of after − before, signed: positive where the other domains gained."""
    changes = _others(before, after, target, columns)
    return mean(changes) if changes else None


def collateral(
    before: Mapping[str, Score], after: Mapping[str, Score], target: str, columns: Sequence[str]
) -> Score | None:
    """Returns the mean over j ≠ target of max(0, before − after): what a recovery cost the others, in points, ≥ 0.

    Its standard error and interval are those of the losses: the maximum moves no more than the loss it is taken of.
    """
    changes = _others(after, before, target, columns)
    return mean([_at_least_zero(loss) for loss in changes]) if changes else None


def _at_least_zero(loss: Score) -> Score:
    ends = None if loss.ci95 is None else (max(0.0, loss.ci95[0]), max(0.0, loss.ci95[1]))
    return Score(max(0.0, loss.value), loss.stderr, loss.n, ends, loss.interval)
