"""The damage of every step to every domain, from the scores in a run's leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.report.record import RunRecord
from harness.report.tables.layout import shortest_first


@dataclass(frozen=True, kw_only=True)
class MeasuredDamage:
    """The points that `domain` lost in a step of one seed, negative if it gained. checkpoint: the key of the checkpoint
    after the step. trained: the domains that the step trained, empty for a recovery."""

    method: str
    seed: int
    step: int
    domain: str
    checkpoint: str
    trained: tuple[str, ...]
    lost: float


def measured_damages(record: RunRecord) -> Iterator[MeasuredDamage]:
    """Yields the damage of each step to each domain that was scored before and after it, for every method that has the
    step, shortest method first."""
    leaderboard = record.leaderboard
    for row in shortest_first(leaderboard.rows):
        for before, after in zip(row.trajectory, row.trajectory[1:], strict=False):
            for domain in leaderboard.columns:
                first, second = before.scores.get(domain), after.scores.get(domain)
                if first is None or second is None:
                    continue
                sign = 1.0 if leaderboard.higher_is_better(domain) else -1.0
                for index, seed in enumerate(row.seeds):
                    a = first.per_seed[index if len(first.per_seed) > 1 else 0]
                    b = second.per_seed[index] if index < len(second.per_seed) else None
                    if a is None or b is None:
                        continue
                    yield MeasuredDamage(
                        method=row.method,
                        seed=seed,
                        step=after.step,
                        domain=domain,
                        checkpoint=after.checkpoints[index if len(after.checkpoints) > 1 else 0],
                        trained=after.trained if after.recovered is None else (),
                        lost=sign * (a - b),
                    )
