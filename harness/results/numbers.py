"""Derives the numbers of a row from the scores of its checkpoints, for new runs and for combined or old records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.results import metrics
from harness.results.columns import ColumnRoles
from harness.results.estimates import Estimate, estimate, estimate_damage, estimate_recovery_ratio, recovery_remark
from harness.results.leaderboard import RecoveryResult, Row, TargetResult, TrajectoryStep
from harness.results.metrics import Score, StepScores

Lineages = Sequence[Sequence[StepScores]]
"""The scores after each step, for each seed."""

Peaks = Mapping[str, Sequence[Score | None]]
"""The score of each target of a recovery after its own training, for each seed."""


def scores_of(steps: Sequence[StepScores], columns: Sequence[str]) -> dict[str, Estimate]:
    """Returns the scores of one step over its seeds, by column. Columns without any score are omitted."""
    return {
        column: estimate([step.scores.get(column) for step in steps])
        for column in columns
        if any(column in step.scores for step in steps)
    }


def step_numbers(steps: Sequence[StepScores], roles: ColumnRoles) -> dict[str, Any]:
    """Returns the fields `scores` and `average` of a step or row."""
    return {
        "scores": scores_of(steps, roles.columns),
        "average": estimate([metrics.average(step.scores, roles.averaged) for step in steps]),
    }


def row_numbers(lineages: Lineages, roles: ColumnRoles) -> dict[str, Any]:
    """Returns the fields of a row that follow from its scores, except its recoveries and trajectory."""
    end = len(lineages[0]) - 1
    return {
        **step_numbers([steps[-1] for steps in lineages], roles),
        "forgetting": estimate([metrics.mean_forgetting(steps, roles.averaged) for steps in lineages]),
        "forgetting_by_domain": {
            column: estimate(
                [metrics.forgetting(steps, column, higher_is_better=column not in roles.lower) for steps in lineages]
            )
            for column in roles.columns
            if _may_be_forgotten(column, lineages[0], roles, end)
        },
        "backward_transfer": estimate([metrics.backward_transfer(steps, roles.averaged) for steps in lineages]),
    }


def _may_be_forgotten(column: str, steps: Sequence[StepScores], roles: ColumnRoles, end: int) -> bool:
    """Whether a step after the column's last training could have harmed it; any step, if no method trains it."""
    if column in roles.evaluation_only:
        return end > 0
    return metrics.last_training(steps, column) not in (None, end)


def recovery_numbers(lineages: Lineages, step: int, peaks: Peaks, roles: ColumnRoles) -> dict[str, Any]:
    """Returns the fields of a recovery at `step` that follow from scores. peaks: of its targets."""
    before = metrics.recovery_start(lineages[0], step) - 1
    targets = tuple(peaks)

    def of_others(metric: Callable[..., Score | None]) -> Estimate:
        return estimate([metric(s[before].scores, s[step].scores, targets, roles.averaged) for s in lineages])

    several = {name: _target_numbers(lineages, before, step, {name: peaks[name]}, roles) for name in targets}
    return {
        **_target_numbers(lineages, before, step, peaks, roles),
        "collateral": of_others(metrics.collateral),
        "net": of_others(metrics.net_change),
        "targets": {name: TargetResult(**numbers) for name, numbers in several.items()} if len(targets) > 1 else {},
    }


def _target_numbers(lineages: Lineages, before: int, step: int, peaks: Peaks, roles: ColumnRoles) -> dict[str, Any]:
    """Returns the fields of a `TargetResult`: of one target, or of the mean over those where higher is better."""
    targets = [name for name in peaks if name not in roles.lower] or list(peaks)
    higher = not roles.lower.intersection(targets)

    def mean(scores: Sequence[Score | None]) -> Score | None:
        known = [score for score in scores if score is not None]
        return metrics.mean(known) if len(known) == len(scores) else None

    def of_targets(index: int) -> list[Score | None]:
        return [mean([steps[index].scores.get(name) for name in targets]) for steps in lineages]

    def retained(index: int) -> Estimate:
        pairs = zip(of_targets(index), peak, strict=True)
        return estimate([metrics.retention(now, best) if higher and now and best else None for now, best in pairs])

    peak = [mean(scores) for scores in zip(*(peaks[name] for name in targets), strict=True)]
    best, damaged, recovered = estimate(peak), estimate(of_targets(before)), estimate(of_targets(step))
    damage = estimate_damage(best, damaged, higher_is_better=higher)
    ratio = estimate_recovery_ratio(best, damaged, recovered, higher_is_better=higher)
    return {
        "peak": best,
        "damaged": damaged,
        "recovered": recovered,
        "damage": damage,
        "ratio": ratio,
        "remark": recovery_remark(damage, ratio),
        "retention_damaged": retained(before),
        "retention_recovered": retained(step),
    }


def lineages_of(row: Row) -> list[list[StepScores]]:
    """Returns the scores after each step of the row's trajectory, for each seed."""
    seeds = range(1 if row.reference else len(row.seeds))
    return [[_step(step, seed) for step in row.trajectory] for seed in seeds]


def _step(step: TrajectoryStep, seed: int) -> StepScores:
    found = {column: at_seed(one, seed) for column, one in step.scores.items()}
    scores = {column: score for column, score in found.items() if score is not None}
    return StepScores(scores=scores, trained=step.trained, recovered=step.recovered)


def at_seed(one: Estimate, seed: int) -> Score | None:
    """Returns the score of the seed at index `seed`. A checkpoint that all seeds share has one number."""
    scores = one.scores()
    return scores[seed if len(scores) > 1 else 0] if scores else None


def with_numbers(row: Row, roles: ColumnRoles, peaks: Mapping[int, Peaks]) -> Row:
    """Returns the row with all numbers recomputed from its trajectory. peaks: by the step of each recovery."""
    lineages = lineages_of(row)
    if not lineages or not row.trajectory:
        return row
    trajectory = tuple(
        step.model_copy(update=step_numbers([steps[step.step] for steps in _distinct(step, lineages)], roles))
        for step in row.trajectory
    )
    recoveries: tuple[RecoveryResult, ...] = tuple(
        one.model_copy(update=recovery_numbers(lineages, one.step, peaks[one.step], roles)) for one in row.recoveries
    )
    numbers = row_numbers(lineages, roles)
    if row.reference:  # one checkpoint and no training
        numbers = step_numbers([steps[-1] for steps in lineages], roles)
    return row.model_copy(
        update={
            **numbers,
            "trajectory": trajectory,
            "recovery": recoveries[-1] if recoveries else None,
            "earlier_recoveries": recoveries[:-1],
        }
    )


def _distinct(step: TrajectoryStep, lineages: Lineages) -> Lineages:
    return lineages[:1] if len(step.checkpoints) == 1 else lineages
