"""The leaderboard in a terminal: ranking, scores after each step, recoveries. Readable from 80 columns on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.tables.layout import MISSING, decimals, header, leaderboard_table, name_of, number, shortest_first

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.leaderboard import Leaderboard, TrajectoryStep
    from harness.statistics import Estimate

NAME_WIDTH = 20
CELL_WIDTH = 12
WIDE = 100


def print_tables(leaderboard: Leaderboard, console: Console) -> None:
    """Prints the three tables and their notes."""
    from rich.text import Text

    console.print(Text(f"{leaderboard.protocol}, base model {leaderboard.model}", style="bold"))
    for table in (*_ranking(leaderboard, console.width), _training(leaderboard)):
        console.print(table)
    for note in leaderboard_table(leaderboard).notes:
        console.print(Text(note, style="dim"))
    console.print(Text("\nAfter each step: score, and change by the step", style="bold"))
    for table in _trajectories(leaderboard, console.width):
        console.print(table)
    if any(row.recoveries for row in leaderboard.rows):
        console.print(Text("\nRecoveries", style="bold"))
        console.print(_recoveries(leaderboard, wide=console.width >= WIDE))
        console.print(
            Text(
                "Ratio: share of the damage undone. Collateral: points that the other domains lost on average; "
                "net: how they changed. ± is half of a 95 % interval.",
                style="dim",
            )
        )


def _new_table(first: str, others: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for other in others:
        table.add_column(Text(other), justify="right", no_wrap=True)
    return table


def _add(table: Table, cells: Sequence[str], style: str = "") -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style=style)


def _groups(columns: Sequence[str], width: int) -> Iterator[tuple[str, ...]]:
    """Yields the columns in as many tables as the width asks for; the average takes a place too."""
    size = max(1, (width - NAME_WIDTH) // CELL_WIDTH)
    everything = (*columns, "")
    for start in range(0, len(everything), size):
        yield tuple(everything[start : start + size])


def _spread(one: Estimate | None, digits: int) -> str:
    if one is None or one.mean is None:
        return MISSING
    mean = number(one.mean, digits)
    return mean if one.ci95 is None else f"{mean} ±{number((one.ci95[1] - one.ci95[0]) / 2, digits)}"


def _ranking(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    for group in _groups(leaderboard.columns, width):
        heads = [header(leaderboard, column) if column else "average" for column in group]
        table = _new_table("method", ["#", *heads])
        for row in leaderboard.rows:
            cells = [_spread(row.scores.get(c) if c else row.average, decimals(leaderboard, c or None)) for c in group]
            rank = MISSING if row.rank is None else str(row.rank)
            _add(table, [name_of(row), rank, *cells], "dim" if row.reference else "bold" if row.rank == 1 else "")
        yield table


def _training(leaderboard: Leaderboard) -> Table:
    table = _new_table("method", ["forgetting", "backward transfer", "steps", "completions", "training"])
    digits = decimals(leaderboard)
    for row in leaderboard.rows:
        if row.reference:
            continue
        cost = row.cost
        spent = (
            [number(cost.optimizer_steps, 0), f"{cost.completions:,.0f}", _duration(cost.train_seconds)]
            if cost
            else [MISSING] * 3
        )
        _add(table, [name_of(row), _spread(row.forgetting, digits), _spread(row.backward_transfer, digits), *spent])
    return table


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _trajectories(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    for group in _groups(leaderboard.columns, width):
        heads = [header(leaderboard, column) if column else "average" for column in group]
        table = _new_table("checkpoint", heads)
        shown: set[tuple[str, ...]] = set()
        for row in shortest_first(leaderboard.rows):
            new = [index for index, step in enumerate(row.trajectory) if step.checkpoints not in shown]
            if row.trajectory[1:] and new:
                _add(table, [row.method], "bold")
            for index in new:
                step = row.trajectory[index]
                shown.add(step.checkpoints)
                before = row.trajectory[index - 1] if index else None
                changes = [_change(leaderboard, step, before, column) for column in group]
                _add(table, [f"  {step.step} {step.label}", *changes])
        yield table


def _change(leaderboard: Leaderboard, step: TrajectoryStep, before: TrajectoryStep | None, column: str) -> str:
    digits = decimals(leaderboard, column or None)
    now = _mean_at(step, column)
    last = _mean_at(before, column) if before else None
    if now is None or last is None:
        return number(now, digits)
    change = number(now - last, digits)
    return f"{number(now, digits)} {change if change.startswith('−') else '+' + change:>{digits + 4}}"


def _mean_at(step: TrajectoryStep, column: str) -> float | None:
    if not column:
        return step.average.mean
    return step.scores[column].mean if column in step.scores else None


def _recoveries(leaderboard: Leaderboard, *, wide: bool) -> Table:
    table = _new_table("method", ["target", "peak", "before", "after", "ratio", "collateral", "net", "steps"])
    average = decimals(leaderboard)
    for row in leaderboard.rows:
        for one in row.recoveries:
            digits = decimals(leaderboard, one.target)
            scores = [number(score.mean, digits) for score in (one.peak, one.damaged, one.recovered)]
            steps = MISSING if one.cost is None else number(one.cost.optimizer_steps, 0)
            shown = [(one.ratio, 2), (one.collateral, average), (one.net, average)]
            cells = [_spread(value, places) if wide else number(value.mean, places) for value, places in shown]
            _add(table, [name_of(row), one.target, *scores, *cells, steps])
    return table
