"""Prints the leaderboard to the terminal: ranking, scores after each step, recoveries. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cli.graphics import bar, draws, group_style, sparkline
from harness.cli.narrow_table import GAP, NAME_WIDTH, add_row, by_column, column_groups, new_table, split_tables
from harness.report.tables.layout import (
    MISSING,
    decimals,
    group_of,
    header,
    interval,
    leaderboard_table,
    metric_headers,
    name_of,
    number,
    shortest_first,
    size_headers,
    sizes_of,
)
from harness.report.tables.recoveries import by_target, recovery_notes, spent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard, TrajectoryStep

WIDE = 100
BAR_WIDTH = 16


def print_tables(leaderboard: Leaderboard, console: Console) -> None:
    """Prints the three tables and their notes."""
    from rich.text import Text

    console.print(Text(f"{leaderboard.protocol}, base model {leaderboard.model}", style="bold"))
    for table in (*_ranking(leaderboard, console), *_training(leaderboard, console.width)):
        console.print()
        console.print(table)
    console.print()
    for note in leaderboard_table(leaderboard).notes:
        console.print(Text(note, style="dim"))
    console.print(Text("\nAfter each step: score, and change by the step", style="bold"))
    for table in _trajectories(leaderboard, console):
        console.print()
        console.print(table)
    if draws(console):
        note = "Beside a method: its scores from the base model on, each column from its lowest score to its highest."
        console.print(Text(f"\n{note}", style="dim"))
    if any(row.recoveries for row in leaderboard.rows):
        console.print(Text("\nRecoveries", style="bold"))
        for table in _recoveries(leaderboard, console.width):
            console.print()
            console.print(table)
        console.print(
            Text(
                "\nRatio: share of the damage undone. Collateral: points that the other domains lost on average; "
                "net: how they changed. ± is half of a 95 % interval.",
                style="dim",
            )
        )
        marked = [f"* {row.method}: {one.remark}." for row in leaderboard.rows for one in row.recoveries if one.remark]
        for note in (*marked, *recovery_notes(leaderboard)[1:-2]):
            console.print(Text(note, style="dim"))


def score_heads(leaderboard: Leaderboard) -> dict[str, str]:
    """Returns the headers of all columns and of the average."""
    return {column: header(leaderboard, column) for column in leaderboard.columns} | {"": "average"}


def _spread(one: Estimate | None, digits: int) -> str:
    if one is None or one.mean is None:
        return MISSING
    if one.ci95 is None:
        return interval(one, digits)
    half, middle = (one.ci95[1] - one.ci95[0]) / 2, (one.ci95[0] + one.ci95[1]) / 2
    # Wilson's and Fieller's intervals can be asymmetric around the mean.
    uneven = abs(middle - one.mean) > 0.05 * half
    return interval(one, digits) if uneven else f"{number(one.mean, digits)} ±{number(half, digits)}"


def _ranking(leaderboard: Leaderboard, console: Console) -> Iterator[Table]:
    heads = score_heads(leaderboard)
    columns = {
        column: [
            _spread(row.scores.get(column) if column else row.average, decimals(leaderboard, column or None))
            for row in leaderboard.rows
        ]
        for column in heads
    }
    ranks = [MISSING if row.rank is None else f"{row.rank}{group_of(row)}" for row in leaderboard.rows]
    names = [name_of(row) for row in leaderboard.rows]
    widest = max(map(len, ("#", *ranks)))
    with_heads = {column: [heads[column], *texts] for column, texts in columns.items()}
    groups = list(column_groups(with_heads, names, console.width - GAP - widest))
    taken = min(NAME_WIDTH, max(map(len, names), default=0)) + GAP + widest
    taken += sum(GAP + max(map(len, with_heads[column])) for column in groups[-1])
    bars = _bars(leaderboard) if draws(console) and taken + GAP + BAR_WIDTH <= console.width else None
    for group in groups:
        drawn = bars if group is groups[-1] else None
        table = new_table("method", ["#", *(heads[column] for column in group)])
        if drawn:
            table.add_column("", min_width=BAR_WIDTH)
        for index, row in enumerate(leaderboard.rows):
            cells = [names[index], ranks[index], *(columns[column][index] for column in group)]
            cells += [drawn[index]] if drawn else []
            add_row(table, cells, "dim" if row.reference else group_style(row.rank_group))
        yield table


def _bars(leaderboard: Leaderboard) -> list[str]:
    """Returns bars of the averages: of 100 if they are percentages, otherwise of the largest."""
    averages = [row.average.mean for row in leaderboard.rows]
    percent = all(one.percent for column, one in leaderboard.measurement.items() if column in leaderboard.averaged)
    most = 100.0 if percent else max((one for one in averages if one is not None), default=0.0)
    return [bar(one, most, BAR_WIDTH) for one in averages]


def _training(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    heads = ["forgetting", "backward transfer", *metric_headers(leaderboard), "steps", "completions", "training"]
    heads += [head.lower() for head in size_headers(leaderboard)]
    digits = decimals(leaderboard)
    rows = [row for row in leaderboard.rows if not row.reference]
    cells = []
    for row in rows:
        cost = row.cost
        spent = (
            [number(cost.optimizer_steps, 0), f"{cost.completions:,.0f}", _duration(cost.train_seconds)]
            if cost
            else [MISSING] * 3
        )
        changes = [_spread(row.forgetting, digits), _spread(row.backward_transfer, digits)]
        further = [_spread(row.metrics.get(name), one.decimals) for name, one in leaderboard.metrics.items()]
        cells.append([*changes, *further, *spent, *sizes_of(leaderboard, row)])
    yield from split_tables("method", [name_of(row) for row in rows], by_column(heads, cells), width)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _trajectories(leaderboard: Leaderboard, console: Console) -> Iterator[Table]:
    heads = score_heads(leaderboard)
    steps = list(_new_steps(leaderboard))
    lines = _sparklines(leaderboard, list(heads)) if draws(console) else {}
    columns = {
        column: [
            lines.get((name, column), "") if step is None else _change(leaderboard, step, before, column)
            for name, step, before in steps
        ]
        for column in heads
    }
    names = [name for name, _, _ in steps]
    with_heads = {column: [heads[column], *texts] for column, texts in columns.items()}
    styles = {row.method: group_style(row.rank_group) for row in leaderboard.rows}
    for group in column_groups(with_heads, names, console.width):
        table = new_table("checkpoint", [heads[column] for column in group])
        for index, (name, step, _) in enumerate(steps):
            cells = [name, *(columns[column][index] for column in group)]
            add_row(table, cells, "" if step else styles[name] or "bold")
        yield table


def _sparklines(leaderboard: Leaderboard, columns: Sequence[str]) -> dict[tuple[str, str], str]:
    """Returns the scores of each method and column from the base model on, on one scale for the column."""
    found = {}
    for column in columns:
        values = {row.method: [_mean_at(step, column) for step in row.trajectory] for row in leaderboard.rows}
        known = [value for own in values.values() for value in own if value is not None]
        for method, own in values.items():
            if known:
                found[method, column] = sparkline(own, min(known), max(known))
    return found


def _new_steps(leaderboard: Leaderboard) -> Iterator[tuple[str, TrajectoryStep | None, TrajectoryStep | None]]:
    """Yields one line per method, and one per step not shared with a previous method, with the preceding step."""
    shown: set[tuple[str, ...]] = set()
    for row in shortest_first(leaderboard.rows):
        new = [index for index, step in enumerate(row.trajectory) if step.checkpoints not in shown]
        if row.trajectory[1:] and new:
            yield row.method, None, None
        for index in new:
            step = row.trajectory[index]
            shown.add(step.checkpoints)
            yield f"  {step.step} {step.label}", step, row.trajectory[index - 1] if index else None


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


def _recoveries(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    heads = ["target", "peak", "before", "after", "ratio", "collateral", "net", "steps", "completions"]
    average = decimals(leaderboard)
    names, rows, wide = [], [], width >= WIDE
    for row in leaderboard.rows:
        for one in row.recoveries:
            for name, column, target in by_target(one):
                digits = decimals(leaderboard, column)
                scores = [number(score.mean, digits) for score in (target.peak, target.damaged, target.recovered)]
                shown = [(target.ratio, 2), *([(one.collateral, average), (one.net, average)] if target is one else [])]
                cells = [_spread(value, places) if wide else number(value.mean, places) for value, places in shown]
                cells[0] += " *" if target.remark else ""
                of_step = [*cells[1:], *spent(one)] if target is one else [MISSING] * 4
                names.append(name_of(row))
                rows.append([name, *scores, cells[0], *of_step])
    yield from split_tables("method", names, by_column(heads, rows), width)
