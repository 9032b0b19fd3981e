"""Where a checkpoint stands in a record, for messages."""

from __future__ import annotations

from collections.abc import Iterator

from harness.results.leaderboard import Leaderboard, Row
from harness.verification.findings import Difference


def checkpoints_of(row: Row) -> Iterator[tuple[int, int, int | None, str]]:
    """Yields step, index into the numbers per seed, seed and key of each checkpoint of a row. The seed is None if all
    seeds share the checkpoint."""
    for step in row.trajectory:
        shared = len(step.checkpoints) == 1
        for index, key in enumerate(step.checkpoints):
            yield step.step, index, None if shared and len(row.seeds) != 1 else row.seeds[index], key


def lineages_by_seed(row: Row) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields each seed of a row with the keys of its checkpoints, base first."""
    for index, seed in enumerate(row.seeds):
        keys = [step.checkpoints[0 if len(step.checkpoints) == 1 else index] for step in row.trajectory]
        yield seed, tuple(keys)


def misplaced(leaderboard: Leaderboard) -> Iterator[Difference]:
    """Yields where the numbers of checkpoints, scores and seeds of a row do not match: place, expected, found."""
    names = [row.method for row in leaderboard.rows]
    if len(set(names)) < len(names):
        yield "methods", "different names", names
    for row in leaderboard.rows:
        seeds = max(len(row.seeds), 1)
        if row.reference != (not row.seeds):
            yield f"{row.method}, seeds", "none for the base model, and some for a method", row.seeds
        if not row.trajectory:
            yield f"{row.method}, trajectory", "checkpoints", "none"
        if len(set(row.seeds)) < len(row.seeds):
            yield f"{row.method}, seeds", "different seeds", row.seeds
        for number, step in enumerate(row.trajectory):
            where = f"{row.method}, step {step.step}"
            if step.step != number:
                yield where, f"step {number}", f"step {step.step}"
            count = len(step.checkpoints)
            if count not in (1, seeds):
                yield f"{where}, checkpoints", f"1 or {seeds}", count
            for column, score in step.scores.items():
                if not len(score.per_seed) == len(score.stderr) == count:
                    yield f"{where}, {column}, numbers per seed", count, len(score.per_seed)
        yield from _misplaced_recoveries(row, seeds)


def _misplaced_recoveries(row: Row, seeds: int) -> Iterator[Difference]:
    for one in row.recoveries:
        if not 0 < one.step < len(row.trajectory):
            yield f"{row.method}, recovery", f"a step of {len(row.trajectory)}", one.step
        for target, peak in one.peaks.items():
            if not len(peak.per_seed) == len(peak.stderr) == seeds:
                yield f"{row.method}, peak of {target} at step {one.step}, numbers per seed", seeds, len(peak.per_seed)


def title(method: str, seed: int | None, step: int) -> str:
    """Returns the name of a checkpoint for messages."""
    return ", ".join([method, *([] if seed is None else [f"seed {seed}"]), f"step {step}"])


def titles(leaderboard: Leaderboard) -> dict[str, str]:
    """Returns the name of each checkpoint by key, that of its first row."""
    found: dict[str, str] = {}
    for row in leaderboard.rows:
        for step, _, seed, key in checkpoints_of(row):
            found.setdefault(key, title(row.method, seed, step))
    return found
