"""Derives the numbers of a row from the scores of its checkpoints, for new runs and for combined or old records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.results import metrics
from harness.results.columns import ColumnRoles
from harness.results.estimates import Estimate, estimate, estimate_damage, estimate_recovery_ratio, recovery_remark
from harness.results.leaderboard import RecoveryResult, Row, TrajectoryStep
from harness.results.metrics import Score, StepScores

Lineages = Sequence[Sequence[StepScores]]
"""The scores after each step, for each seed."""


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


def recovery_numbers(
    lineages: Lineages, step: int, target: str, peak: Sequence[Score | None], roles: ColumnRoles
) -> dict[str, Any]:
    """Returns the fields of a recovery at `step` that follow from scores. peak: the target's score for each seed."""
    higher = target not in roles.lower

    def of_target(index: int) -> list[Score | None]:
        return [steps[index].scores.get(target) for steps in lineages]

    def of_others(metric: Callable[..., Score | None]) -> Estimate:
        return estimate([metric(s[step - 1].scores, s[step].scores, target, roles.averaged) for s in lineages])

    def retained(index: int) -> Estimate:
        pairs = zip(of_target(index), peak, strict=True)
        return estimate([metrics.retention(now, best) if higher and now and best else None for now, best in pairs])

    best, damaged, recovered = estimate(peak), estimate(of_target(step - 1)), estimate(of_target(step))
    damage = estimate_damage(best, damaged, higher_is_better=higher)
    ratio = estimate_recovery_ratio(best, damaged, recovered, higher_is_better=higher)
    return {
        "peak": best,
        "damaged": damaged,
        "recovered": recovered,
        "damage": damage,
        "ratio": ratio,
        "remark": recovery_remark(damage, ratio),
        "retention_damaged": retained(step - 1),
        "retention_recovered": retained(step),
        "collateral": of_others(metrics.collateral),
        "net": of_others(metrics.net_change),
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


def with_numbers(row: Row, roles: ColumnRoles, peaks: Mapping[int, Sequence[Score | None]]) -> Row:
    """Returns the row with all numbers recomputed from its trajectory. peaks: by the step of each recovery."""
    lineages = lineages_of(row)
    if not lineages or not row.trajectory:
        return row
    trajectory = tuple(
        step.model_copy(update=step_numbers([steps[step.step] for steps in _distinct(step, lineages)], roles))
        for step in row.trajectory
    )
    recoveries: tuple[RecoveryResult, ...] = tuple(
        one.model_copy(update=recovery_numbers(lineages, one.step, one.target, peaks[one.step], roles))
        for one in row.recoveries
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
