"""What to type after a run: the command that shows the samples behind its most striking score."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.report.tables.layout import decimals, number, shortest_first

if TYPE_CHECKING:
    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard, Row, TrajectoryStep


class _Fall(NamedTuple):
    """By how much a step worsened a column, in the column's units."""

    points: float
    row: Row
    step: TrajectoryStep
    column: str


def next_commands(leaderboard: Leaderboard, folder: Path) -> list[str]:
    """Returns lines with the samples to look at: of every domain that scores 0, otherwise of the largest fall.

    The last line is a command. folder: the run, as commands are to name it.
    """
    found = [line for column in leaderboard.columns for line in _zero(leaderboard, column, folder)]
    return found or list(_largest_fall(leaderboard, folder))


def samples_command(folder: Path, method: str, *options: str) -> str:
    """Returns a `harness samples` command, quoted for a shell."""
    return "  " + shlex.join(["harness", "samples", str(folder), method, *options])


def _zero(leaderboard: Leaderboard, column: str, folder: Path) -> Iterator[str]:
    """Yields why and how to look at a domain in which some checkpoint gets nothing right."""
    rows = [row for row in leaderboard.rows if not row.reference]
    places = [(row, step, seed) for row in rows for step in _telling(row, column) for seed in _zeros(step, column)]
    if not places or column not in leaderboard.measurement or not leaderboard.higher_is_better(column):
        return
    row, step, seed = places[0]
    methods = list(dict.fromkeys(one.method for one, _, _ in places))
    share = "every method" if len(methods) == len(rows) else f"{len(methods)} of {len(rows)} methods"
    yield f"{column} scores 0 in {share}. To see what was answered, and the targets:"
    last = step is row.trajectory[-1]
    options = [*([] if last else ["--step", str(step.step)]), "--domain", column]
    yield samples_command(folder, row.method, *options, *_seed_option(row, seed), "--wrong")


def _telling(row: Row, column: str) -> list[TrajectoryStep]:
    """Returns the steps whose score ought not to be 0: the last one, and those that trained the domain."""
    return [
        step
        for step in reversed(row.trajectory)
        if step.step and column in step.scores and (step is row.trajectory[-1] or column in step.trained)
    ]


def _zeros(step: TrajectoryStep, column: str) -> list[int]:
    """Returns the places of the seeds whose score is 0."""
    return [place for place, value in enumerate(step.scores[column].per_seed) if value == 0]


def _seed_option(row: Row, place: int) -> list[str]:
    return ["--seed", str(row.seeds[place])] if 0 < place < len(row.seeds) else []


def _largest_fall(leaderboard: Leaderboard, folder: Path) -> Iterator[str]:
    falls = [
        _Fall(points, row, step, column)
        for row in shortest_first(leaderboard.rows)
        for before, step in zip(row.trajectory, row.trajectory[1:], strict=False)
        for column in leaderboard.columns
        if (points := _worsened(leaderboard, before.scores.get(column), step.scores.get(column), column)) > 0
    ]
    if not falls:
        return
    most = max(falls, key=lambda fall: fall.points)
    yield (
        f"{most.column} fell most in step {most.step.step} of {most.row.method} ({most.step.label}), by "
        f"{number(most.points, decimals(leaderboard, most.column))} points. To see the items that flipped:"
    )
    yield samples_command(folder, most.row.method, "--step", str(most.step.step), "--domain", most.column, "--changed")


def _worsened(leaderboard: Leaderboard, before: Estimate | None, now: Estimate | None, column: str) -> float:
    if before is None or now is None or before.mean is None or now.mean is None:
        return 0.0
    return before.mean - now.mean if leaderboard.higher_is_better(column) else now.mean - before.mean
