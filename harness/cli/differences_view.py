"""Prints paired differences between methods: means with intervals, drawn on a terminal, and their significance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.graphics import draws, interval_marks
from harness.cli.leaderboard_view import score_heads
from harness.cli.narrow_table import by_column, split_tables
from harness.report.tables.layout import MISSING, decimals, interval, interval_notes, number, p_text
from harness.results.ranks import FAMILY_WISE_ERROR

if TYPE_CHECKING:
    from rich.console import Console

    from harness.results.compare import PairedDifferences
    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard

MARKS_WIDTH = 21


def print_differences(leaderboard: Leaderboard, differences: PairedDifferences, console: Console) -> None:
    """Prints one line per domain and one for the average: the difference with its interval, its p-value and the
    difference per seed."""
    from rich.text import Text

    console.print(Text(f"{differences.method} − {differences.other}, {leaderboard.protocol}", style="bold"))
    names, rows, shown = [], [], []
    for column, head in score_heads(leaderboard).items():
        one = differences.scores.get(column) if column else differences.average
        if one is not None:
            digits = decimals(leaderboard, column or None) + 1
            p_value = differences.p_values[column] if column else differences.average_p_value
            names.append(head)
            rows.append([interval(one, digits), p_text(p_value), *(number(value, digits) for value in one.per_seed)])
            shown.append(one)
    heads = ["difference", "p", *(f"seed {seed}" for seed in differences.seeds)]
    print_rows(console, "", names, (heads, rows), differences=shown, corrected=[None] * len(shown))
    _print_notes(leaderboard, [differences], console)


def print_comparisons(leaderboard: Leaderboard, found: Sequence[PairedDifferences], console: Console) -> None:
    """Prints one line per compared method: the difference of the averages and its significance."""
    from rich.text import Text

    console.print(Text(f"{found[0].method} − each, {leaderboard.protocol}: average", style="bold"))
    print_averages(console, "compared with", [one.other for one in found], found, decimals(leaderboard) + 1)
    _print_notes(leaderboard, found, console)


def print_averages(
    console: Console, first: str, names: Sequence[str], found: Sequence[PairedDifferences], digits: int
) -> None:
    """Prints the differences of averages, one per line. first: the header of their names."""
    rows = []
    for one in found:
        known = [value for value in one.average.per_seed if value is not None]
        corrected = one.average_holm_p_value
        shown = MISSING if corrected is None else "yes" if corrected <= FAMILY_WISE_ERROR else "no"
        ahead = f"{sum(value > 0 for value in known)} of {len(known)} seeds"
        p_values = [p_text(one.average_p_value), p_text(corrected)]
        rows.append([interval(one.average, digits), *p_values, shown, ahead])
    heads = ["difference", "p", "p (Holm)", "shown", "higher on"]
    corrected_values = [one.average_holm_p_value for one in found]
    averages = [one.average for one in found]
    print_rows(console, first, names, (heads, rows), differences=averages, corrected=corrected_values)


def print_rows(
    console: Console,
    first: str,
    names: Sequence[str],
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    *,
    differences: Sequence[Estimate],
    corrected: Sequence[float | None],
) -> None:
    """Prints a table of differences, as many columns beside one another as fit. On a terminal, the intervals are drawn.

    table: the headers and the rows. corrected: the p-values that decide whether a difference is shown in colour.
    """
    columns = by_column(*table)
    marks = _marks(differences) if draws(console) else {}
    styles = [_style(one, p_value) for one, p_value in zip(differences, corrected, strict=True)]
    left = tuple(marks)
    for part in split_tables(first, names, columns | marks, console.width, styles=styles, left=left):
        console.print()
        console.print(part)


def _marks(differences: Sequence[Estimate]) -> dict[str, list[str]]:
    """Returns a column of drawn intervals, which share a scale, by its header."""
    ends = [abs(end) for one in differences for end in (one.ci95 or (one.mean or 0.0,))]
    reach = max(ends, default=0.0)
    if reach <= 0:
        return {}
    text = f"{reach:.3g}"
    head = f"−{text:<{MARKS_WIDTH // 2 - 1}}0{text:>{MARKS_WIDTH // 2}}"
    return {head: [interval_marks(one, reach, MARKS_WIDTH) for one in differences]}


def _style(one: Estimate, p_value: float | None) -> str:
    if p_value is None or p_value > FAMILY_WISE_ERROR or not one.mean:
        return ""
    return "green" if one.mean > 0 else "red"


def _print_notes(leaderboard: Leaderboard, found: Sequence[PairedDifferences], console: Console) -> None:
    from rich.text import Text

    console.print()
    for note in difference_notes(leaderboard, found, "methods"):
        console.print(Text(note, style="dim"))


def difference_notes(leaderboard: Leaderboard, found: Sequence[PairedDifferences], compared: str) -> list[str]:
    """Returns notes on intervals and p-values. compared: what differs, `methods` or `runs`."""
    notes = interval_notes(estimate for one in found for estimate in (*one.scores.values(), one.average))
    if any(one.average_p_value is not None for one in found):
        notes.append("p: two-sided paired t test over seeds, not corrected for the number of domains.")
    if len(found) > 1:
        notes.append(f"p (Holm): corrected over the {len(found)} methods; shown: at most 0.05.")
    if max((len(one.seeds) for one in found), default=0) < 2:
        notes.append(f"One seed in common: no difference between the {compared} is shown.")
    if leaderboard.roles.lower:
        notes.append("↓: lower is better, so that a negative difference is the better one.")
    return notes
