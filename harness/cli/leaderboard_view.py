"""Prints the leaderboard to the terminal: ranking, scores after each step, recoveries. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cli.narrow_table import GAP, add_row, column_groups, new_table
from harness.report.tables.layout import (
    MISSING,
    by_target,
    decimals,
    group_of,
    header,
    interval,
    interval_notes,
    leaderboard_table,
    metric_headers,
    name_of,
    number,
    recovery_notes,
    shortest_first,
)
from harness.results.ranks import FAMILY_WISE_ERROR

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.results.compare import PairedDifferences
    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard, TrajectoryStep

WIDE = 100


def print_tables(leaderboard: Leaderboard, console: Console) -> None:
    """Prints the three tables and their notes."""
    from rich.text import Text

    console.print(Text(f"{leaderboard.protocol}, base model {leaderboard.model}", style="bold"))
    for table in (*_ranking(leaderboard, console.width), _training(leaderboard)):
        console.print()
        console.print(table)
    console.print()
    for note in leaderboard_table(leaderboard).notes:
        console.print(Text(note, style="dim"))
    console.print(Text("\nAfter each step: score, and change by the step", style="bold"))
    for table in _trajectories(leaderboard, console.width):
        console.print()
        console.print(table)
    if any(row.recoveries for row in leaderboard.rows):
        console.print(Text("\nRecoveries\n", style="bold"))
        console.print(_recoveries(leaderboard, wide=console.width >= WIDE))
        console.print(
            Text(
                "\nRatio: share of the damage undone. Collateral: points that the other domains lost on average; "
                "net: how they changed. ± is half of a 95 % interval.",
                style="dim",
            )
        )
        marked = [f"* {row.method}: {one.remark}." for row in leaderboard.rows for one in row.recoveries if one.remark]
        for note in (*marked, *recovery_notes(leaderboard)[1:-1]):
            console.print(Text(note, style="dim"))


def print_differences(leaderboard: Leaderboard, differences: PairedDifferences, console: Console) -> None:
    """Prints one line per domain and one for the average: the difference with its interval, its p-value and the
    difference per seed."""
    from rich.text import Text

    console.print(Text(f"{differences.method} − {differences.other}, {leaderboard.protocol}", style="bold"))
    console.print()
    table = new_table("", ["difference", "p", *(f"seed {seed}" for seed in differences.seeds)])
    for column, head in _heads(leaderboard).items():
        one = differences.scores.get(column) if column else differences.average
        if one is not None:
            digits = decimals(leaderboard, column or None) + 1
            p_value = differences.p_values[column] if column else differences.average_p_value
            by_seed = (number(value, digits) for value in one.per_seed)
            add_row(table, [head, interval(one, digits), p_text(p_value), *by_seed])
    console.print(table)
    _print_notes(leaderboard, [differences], console)


def print_comparisons(leaderboard: Leaderboard, found: Sequence[PairedDifferences], console: Console) -> None:
    """Prints one line per compared method: the difference of the averages and its significance."""
    from rich.text import Text

    console.print(Text(f"{found[0].method} − each, {leaderboard.protocol}: average", style="bold"))
    console.print()
    table = new_table("compared with", ["difference", "p", "p (Holm)", "shown", "higher on"])
    digits = decimals(leaderboard) + 1
    for one in found:
        known = [value for value in one.average.per_seed if value is not None]
        corrected = one.average_holm_p_value
        shown = MISSING if corrected is None else "yes" if corrected <= FAMILY_WISE_ERROR else "no"
        ahead = f"{sum(value > 0 for value in known)} of {len(known)} seeds"
        p_values = [p_text(one.average_p_value), p_text(corrected)]
        add_row(table, [one.other, interval(one.average, digits), *p_values, shown, ahead])
    console.print(table)
    _print_notes(leaderboard, found, console)


def _print_notes(leaderboard: Leaderboard, found: Sequence[PairedDifferences], console: Console) -> None:
    from rich.text import Text

    notes = interval_notes(estimate for one in found for estimate in (*one.scores.values(), one.average))
    if any(one.average_p_value is not None for one in found):
        notes.append("p: two-sided paired t test over seeds, not corrected for the number of domains.")
    if len(found) > 1:
        notes.append(f"p (Holm): corrected over the {len(found)} methods; shown: at most 0.05.")
    if max(len(one.seeds) for one in found) < 2:
        notes.append("One seed in common: no difference between the methods is shown.")
    if leaderboard.roles.lower:
        notes.append("↓: lower is better, so that a negative difference is the better one.")
    console.print()
    for note in notes:
        console.print(Text(note, style="dim"))


def p_text(p_value: float | None) -> str:
    """Returns a p-value with three decimals, or a dash."""
    return MISSING if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _heads(leaderboard: Leaderboard) -> dict[str, str]:
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


def _ranking(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    heads = _heads(leaderboard)
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
    for group in column_groups(with_heads, names, width - GAP - widest):
        table = new_table("method", ["#", *(heads[column] for column in group)])
        for index, row in enumerate(leaderboard.rows):
            cells = [names[index], ranks[index], *(columns[column][index] for column in group)]
            add_row(table, cells, "dim" if row.reference else "bold" if row.rank_group == 1 else "")
        yield table


def _training(leaderboard: Leaderboard) -> Table:
    heads = ["forgetting", "backward transfer", *metric_headers(leaderboard), "steps", "completions", "training"]
    table = new_table("method", heads)
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
        changes = [_spread(row.forgetting, digits), _spread(row.backward_transfer, digits)]
        further = [_spread(row.metrics.get(name), one.decimals) for name, one in leaderboard.metrics.items()]
        add_row(table, [name_of(row), *changes, *further, *spent])
    return table


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _trajectories(leaderboard: Leaderboard, width: int) -> Iterator[Table]:
    heads = _heads(leaderboard)
    steps = list(_new_steps(leaderboard))
    columns = {
        column: ["" if step is None else _change(leaderboard, step, before, column) for _, step, before in steps]
        for column in heads
    }
    names = [name for name, _, _ in steps]
    with_heads = {column: [heads[column], *texts] for column, texts in columns.items()}
    for group in column_groups(with_heads, names, width):
        table = new_table("checkpoint", [heads[column] for column in group])
        for index, (name, step, _) in enumerate(steps):
            add_row(table, [name, *(columns[column][index] for column in group)], "" if step else "bold")
        yield table


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


def _recoveries(leaderboard: Leaderboard, *, wide: bool) -> Table:
    table = new_table("method", ["target", "peak", "before", "after", "ratio", "collateral", "net", "steps"])
    average = decimals(leaderboard)
    for row in leaderboard.rows:
        for one in row.recoveries:
            steps = MISSING if one.cost is None else number(one.cost.optimizer_steps, 0)
            for name, column, target in by_target(one):
                digits = decimals(leaderboard, column)
                scores = [number(score.mean, digits) for score in (target.peak, target.damaged, target.recovered)]
                shown = [(target.ratio, 2), *([(one.collateral, average), (one.net, average)] if target is one else [])]
                cells = [_spread(value, places) if wide else number(value.mean, places) for value, places in shown]
                cells[0] += " *" if target.remark else ""
                of_step = [*cells[1:], steps] if target is one else [MISSING] * 3
                add_row(table, [name_of(row), name, *scores, cells[0], *of_step])
    return table
