"""Adds the metrics of a protocol to its leaderboard as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.plugin.metric_interface import Metric, ScoreMatrix
from harness.plugin.registry import Registry
from harness.plugin.specs import MetricSpec
from harness.protocol import instance_of
from harness.protocol.plugin_ref import PluginRef
from harness.results.estimates import Estimate, estimate
from harness.results.leaderboard import Leaderboard, MetricColumn, Row
from harness.results.metrics import Score, StepScores
from harness.results.numbers import lineages_of


def with_metrics(leaderboard: Leaderboard, metrics: Mapping[str, PluginRef], registry: Registry) -> Leaderboard:
    """Returns the leaderboard with a column for each metric, by name.

    If a metric fails, its column is empty and a note has the reason, so that the scores of the run are still shown.
    Raises PluginError if a metric cannot be built.
    """
    for name, use in metrics.items():
        spec = registry.find("metric", use.name).spec
        assert isinstance(spec, MetricSpec)
        metric: Metric = instance_of(use, registry)
        column = MetricColumn(
            plugin=use.identity,
            config=dict(use.config),
            higher_is_better=spec.higher_is_better,
            decimals=spec.decimals,
        )
        found: list[Estimate] = []
        fault = ""
        for row in leaderboard.rows:
            try:
                found.append(_estimate(metric, row, leaderboard))
            except (Exception, SystemExit) as error:
                fault = fault or f"the metric {name} failed on {row.method}: {type(error).__name__}: {error}"
                found.append(Estimate())
        rows = [
            row.model_copy(update={"metrics": {**row.metrics, name: one}})
            for row, one in zip(leaderboard.rows, found, strict=True)
        ]
        notes = (*leaderboard.notes, *([" ".join(fault.split())] if fault else []))
        update = {"metrics": {**leaderboard.metrics, name: column}, "rows": tuple(rows), "notes": notes}
        leaderboard = leaderboard.model_copy(update=update)
    return leaderboard


def _estimate(metric: Metric, row: Row, leaderboard: Leaderboard) -> Estimate:
    """Returns the metric's mean over a row's seeds with the number of each seed, and an unknown number of items."""
    return estimate([_number(metric, steps, leaderboard) for steps in lineages_of(row)])


def _number(metric: Metric, steps: Sequence[StepScores], leaderboard: Leaderboard) -> Score | None:
    domains = tuple(column for column in leaderboard.columns if column not in leaderboard.evaluation_only)
    if not steps or any(column not in step.scores for step in steps for column in leaderboard.columns):
        return None
    value = metric.compute(
        ScoreMatrix(
            domains=domains,
            scores=_values(steps, domains),
            trained=tuple(step.trained for step in steps),
            recovered=tuple(step.recovered for step in steps),
            lower_is_better=leaderboard.roles.lower,
            evaluation_only=_values(steps, leaderboard.evaluation_only),
        )
    )
    if value is None:
        return None
    if not math.isfinite(value):
        raise ValueError(f"compute returned {value}")
    return Score(float(value), None, 0)


def _values(steps: Sequence[StepScores], columns: Sequence[str]) -> tuple[Mapping[str, float], ...]:
    return tuple({column: step.scores[column].value for column in columns} for step in steps)
