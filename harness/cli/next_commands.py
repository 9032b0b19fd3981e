"""What to type after a run: the command that shows the samples behind its most striking score."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.report.tables.layout import decimals, number, shortest_first
from harness.results.flips import RIGHT_FROM

if TYPE_CHECKING:
    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard, Row, TrajectoryStep


class _Fall(NamedTuple):
    """By how much a step worsened a column, in the column's units."""

    points: float
    row: Row
    step: TrajectoryStep
    column: str


def next_commands(leaderboard: Leaderboard, folder: Path, nothing_right: Callable[[str, str], bool]) -> list[str]:
    """Returns lines with the samples to look at: of every domain in which nothing is right, otherwise of the largest
    fall. The last line is a command.

    folder: the run, as commands are to name it. nothing_right: returns whether a method has no right sample of a
    domain at its last step; asked only where a score above 0 leaves that open.
    """
    found = [
        line
        for column in leaderboard.columns
        for line in (*_zero(leaderboard, column, folder), *_graded(leaderboard, column, folder, nothing_right))
    ]
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


def _graded(
    leaderboard: Leaderboard, column: str, folder: Path, nothing_right: Callable[[str, str], bool]
) -> Iterator[str]:
    """Yields how to look at a domain with graded scores above 0 of which none counts as right."""
    measured = leaderboard.measurement.get(column)
    if measured is None or not measured.higher_is_better:
        return
    half = RIGHT_FROM * (100.0 if measured.percent else 1.0)
    scores = {row.method: row.scores[column] for row in leaderboard.rows if column in row.scores and not row.reference}
    low = {name: one.mean for name, one in scores.items() if one.mean is not None and 0 < one.mean < half}
    # The scores of items that are all 0 or 1 have Wilson's interval: above 0, one of them is right.
    graded = {name: mean for name, mean in low.items() if scores[name].interval != "wilson"}
    if graded and nothing_right(lowest := min(graded, key=lambda name: graded[name]), column):
        text = number(graded[lowest], decimals(leaderboard, column))
        yield f"No sample of {column} is right after {lowest}, whose score is {text}. To see them:"
        yield samples_command(folder, lowest, "--domain", column)


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
