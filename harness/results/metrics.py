"""The metrics of continual learning and of recovery, for one method and one seed.

`a[k, j]` is the score on domain j after step k, where step 0 is the base model. `l(j)` is the last step that trained j.
Metrics take and return `Score`s. Standard errors are propagated linearly, and intervals over test items by
`harness.results.intervals.combined_interval`, both as if the scores were independent. All checkpoints are scored on the
same items, so the intervals of differences are conservative.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.results.intervals import Z95, combined_interval

Sampling = Literal["wilson", "sampling"]
Recovered = str | tuple[str, ...] | None
"""The domain that a step recovered, or several; None if it is not a recovery."""


def targets_of(recovered: Recovered) -> tuple[str, ...]:
    """Returns the domains that a step recovered, empty if it is not a recovery."""
    return (recovered,) if isinstance(recovered, str) else recovered or ()


@dataclass(frozen=True, slots=True)
class Score:
    """A number, its sampling standard error (None if unknown), and its number of test items.

    n: for a difference, the smaller of both; for a mean over domains, their sum. ci95: the 95 % interval over the
    items, None if unknown. interval: its kind: `wilson`, or `sampling` for an interval from the spread of the items or
    combined from several scores.
    """

    value: float
    stderr: float | None
    n: int
    ci95: tuple[float, float] | None = None
    interval: Sampling | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepScores:
    """A checkpoint: the domains that its step trained, the domain or domains that it recovered, and the scores by
    domain."""

    scores: Mapping[str, Score]
    trained: tuple[str, ...] = ()
    recovered: Recovered = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains that the step recovered, empty if it is not a recovery."""
        return targets_of(self.recovered)


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
    """Returns the mean of independent scores, None if there are none."""
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
    """Returns the mean over `columns`, None if one is missing. Higher must be better in all of them."""
    if any(column not in scores for column in columns):
        return None
    return mean([scores[column] for column in columns])


def last_training(steps: Sequence[StepScores], domain: str) -> int | None:
    """Returns l(j), the index of the last step that trained `domain`, or None.

    A recovery does not count as training, even if it trains: its target is compared with the peak before the damage.
    """
    trainings = [index for index, step in enumerate(steps) if step.recovered is None and domain in step.trained]
    return trainings[-1] if trainings else None


def forgetting(steps: Sequence[StepScores], domain: str, *, higher_is_better: bool = True) -> Score | None:
    """Returns max over k < end of a[k, j] − a[end, j]. Positive values mean that the domain got worse.

    If lower is better, the sign is flipped, so that positive is worse in every column. None if the last score or all
    earlier scores are missing. Source: Chaudhry et al. 2018 (arXiv 1801.10112); here k includes the base model.
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
    """Returns a[end, j] − a[l(j), j], None if no step before the last trained the domain or a score is missing."""
    last = last_training(steps, domain)
    if last is None or last == len(steps) - 1 or any(domain not in steps[k].scores for k in (last, -1)):
        return None
    return difference(steps[-1].scores[domain], steps[last].scores[domain])


def exposed_domains(steps: Sequence[StepScores], columns: Sequence[str]) -> list[str]:
    """Returns the columns that a later training could have harmed: those last trained before the last training.

    Forgetting and backward transfer are means over these columns. A final recovery does not change the set, so a method
    with and without recovery is compared over the same domains. Harm done by a recovery counts as its collateral.
    """
    trainings = [index for index, step in enumerate(steps) if step.trained and step.recovered is None]
    exposed = []
    for column in columns:
        last = last_training(steps, column)
        if last is not None and last < trainings[-1]:
            exposed.append(column)
    return exposed


def mean_forgetting(steps: Sequence[StepScores], columns: Sequence[str]) -> Score | None:
    """Returns the mean forgetting of the exposed domains, None if there are none or one has no score."""
    terms = [forgetting(steps, column) for column in exposed_domains(steps, columns)]
    known = [term for term in terms if term is not None]
    return mean(known) if len(known) == len(terms) else None


def backward_transfer(steps: Sequence[StepScores], columns: Sequence[str]) -> Score | None:
    """Returns the mean of a[end, j] − a[l(j), j] over the exposed domains. Negative values mean later steps did harm.

    Source: Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), with l(j) in place of the j-th step.
    """
    terms = [transfer(steps, column) for column in exposed_domains(steps, columns)]
    known = [term for term in terms if term is not None]
    return mean(known) if len(known) == len(terms) else None


def within_noise(peak: Score, damaged: Score, *, higher_is_better: bool = True, z: float = Z95) -> bool:
    """Returns whether the damage is no larger than z · sqrt(stderr_peak² + stderr_damaged²).

    An unknown standard error counts as zero. Zero damage and gains are always within noise.
    """
    damage = peak.value - damaged.value if higher_is_better else damaged.value - peak.value
    return damage <= z * math.hypot(peak.stderr or 0.0, damaged.stderr or 0.0)


def recovery_ratio(peak: Score, damaged: Score, recovered: Score, *, higher_is_better: bool = True) -> Score | None:
    """Returns (recovered − damaged) / (peak − damaged): 0 is no recovery, 1 a full recovery; it may exceed 1.

    None if the damage is within noise, because the ratio is then meaningless. The standard error is from the delta
    method.
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
    """Returns score / peak, the share of the peak that is left, None if the peak is not positive."""
    if peak.value <= 0:
        return None
    ratio = score.value / peak.value
    error = None
    if score.stderr is not None and peak.stderr is not None:
        error = math.hypot(score.stderr, ratio * peak.stderr) / peak.value
    return Score(ratio, error, min(score.n, peak.n))


def recovery_start(steps: Sequence[StepScores], step: int) -> int:
    """Returns the first step of the chain of recoveries that ends at `step`.

    Successive recoveries that have a target in common are one recovery: the damage is that before the first of them.
    """
    targets = set(steps[step].targets)
    while targets.intersection(steps[step - 1].targets):
        step -= 1
    return step


def _others(
    before: Mapping[str, Score], after: Mapping[str, Score], targets: Recovered, columns: Sequence[str]
) -> list[Score] | None:
    others = [column for column in columns if column not in targets_of(targets)]
    if any(column not in before or column not in after for column in others):
        return None
    return [difference(after[column], before[column]) for column in others]


def net_change(
    before: Mapping[str, Score], after: Mapping[str, Score], target: Recovered, columns: Sequence[str]
) -> Score | None:
    """Returns the mean over j ≠ target of after − before. Positive values mean that the other domains gained.

    target: or several, which are all left out.
    """
    changes = _others(before, after, target, columns)
    return mean(changes) if changes else None


def collateral(
    before: Mapping[str, Score], after: Mapping[str, Score], target: Recovered, columns: Sequence[str]
) -> Score | None:
    """Returns the mean over j ≠ target of max(0, before − after): the loss of the other domains in points, ≥ 0.

    target: or several, which are all left out.

    Its standard error and interval are those of the losses, because max(0, x) never varies more than x.
    """
    changes = _others(after, before, target, columns)
    return mean([_at_least_zero(loss) for loss in changes]) if changes else None


def _at_least_zero(loss: Score) -> Score:
    ends = None if loss.ci95 is None else (max(0.0, loss.ci95[0]), max(0.0, loss.ci95[1]))
    return Score(max(0.0, loss.value), loss.stderr, loss.n, ends, loss.interval)
