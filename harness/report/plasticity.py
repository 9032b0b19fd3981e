"""Plasticity: what training a domain gained it, from the scores in a leaderboard."""

from __future__ import annotations

from itertools import pairwise

from harness.results import metrics
from harness.results.columns import ColumnRoles
from harness.results.estimates import Estimate, estimate
from harness.results.leaderboard import Row
from harness.results.metrics import Score, StepScores
from harness.results.numbers import lineages_of


def plasticity(row: Row, roles: ColumnRoles) -> Estimate:
    """Returns the mean gain of a domain in a step that trains it, over all such steps, in points.

    Recoveries do not count. Columns where lower is better are left out. Empty if no step trains a domain; the value of
    a seed that lacks a score before or after such a step is None.
    """
    return estimate([_of_seed(steps, roles.averaged) for steps in lineages_of(row)])


def _of_seed(steps: list[StepScores], columns: tuple[str, ...]) -> Score | None:
    gains = []
    for before, after in pairwise(steps):
        for domain in after.trained if after.recovered is None else ():
            if domain not in columns:
                continue
            if domain not in before.scores or domain not in after.scores:
                return None
            gains.append(metrics.difference(after.scores[domain], before.scores[domain]))
    return metrics.mean(gains)
