"""Prints paired differences between methods: means with intervals, drawn on a terminal, and their significance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.graphics import draws, interval_marks
from harness.cli.narrow_table import by_column, split_tables
from harness.report.tables.differences import AVERAGE, ComparedScore, difference_notes
from harness.report.tables.layout import MISSING, interval, number, p_text
from harness.results.ranks import FAMILY_WISE_ERROR

if TYPE_CHECKING:
    from rich.console import Console

    from harness.results.compare import PairedDifferences
    from harness.results.estimates import Estimate
    from harness.results.leaderboard import Leaderboard

MARKS_WIDTH = 21


def print_differences(
    leaderboard: Leaderboard,
    found: Sequence[PairedDifferences],
    scores: Sequence[ComparedScore],
    console: Console,
) -> None:
    """Prints a single difference with one line per score and the difference per seed, or several, with one table per
    score and one line per compared method."""
    if len(found) == 1:
        _print_single(leaderboard, found[0], scores, console)
    else:
        _print_several(leaderboard, found, scores, console)
    _print_notes(leaderboard, found, console)


def _print_single(
    leaderboard: Leaderboard, one: PairedDifferences, scores: Sequence[ComparedScore], console: Console
) -> None:
    from rich.text import Text

    console.print(Text(f"{one.method} − {one.other}, {leaderboard.protocol}", style="bold"))
    rows, shown = [], []
    for score in scores:
        [(difference, p_value, _)] = score.differences
        seeds = [number(value, score.digits) for value in difference.per_seed]
        rows.append([interval(difference, score.digits), p_text(p_value), *seeds])
        shown.append(difference)
    heads = ["difference", "p", *(f"seed {seed}" for seed in one.seeds)]
    names = [score.head for score in scores]
    print_rows(console, "", names, (heads, rows), differences=shown, corrected=[None] * len(shown))


def _print_several(
    leaderboard: Leaderboard,
    found: Sequence[PairedDifferences],
    scores: Sequence[ComparedScore],
    console: Console,
) -> None:
    from rich.text import Text

    names = [one.other for one in found]
    for place, score in enumerate(scores):
        title = f"{found[0].method} − each, {leaderboard.protocol}: {score.head}"
        console.print(Text(title if place == 0 else f"\n{title}", style="bold"))
        _print_score(console, "compared with", names, score)


def print_averages(
    console: Console, first: str, names: Sequence[str], found: Sequence[PairedDifferences], digits: int
) -> None:
    """Prints the differences of averages, one per line. first: the header of their names."""
    averages = tuple((one.average, one.average_p_value, one.average_holm_p_value) for one in found)
    score = ComparedScore(name=AVERAGE, head=AVERAGE, digits=digits, lower=False, differences=averages)
    _print_score(console, first, names, score)


def _print_score(console: Console, first: str, names: Sequence[str], score: ComparedScore) -> None:
    rows = []
    for one, p_value, corrected in score.differences:
        shown = MISSING if corrected is None else "yes" if corrected <= FAMILY_WISE_ERROR else "no"
        ahead = score.ahead(one) if one.mean is not None else MISSING
        rows.append([interval(one, score.digits), p_text(p_value), p_text(corrected), shown, ahead])
    heads = ["difference", "p", "p (Holm)", "shown", "lower on" if score.lower else "higher on"]
    print_rows(
        console,
        first,
        names,
        (heads, rows),
        differences=[one for one, _, _ in score.differences],
        corrected=[corrected for _, _, corrected in score.differences],
        lower=score.lower,
    )


def print_rows(
    console: Console,
    first: str,
    names: Sequence[str],
    table: tuple[Sequence[str], Sequence[Sequence[str]]],
    *,
    differences: Sequence[Estimate],
    corrected: Sequence[float | None],
    lower: bool = False,
) -> None:
    """Prints a table of differences, as many columns beside one another as fit. On a terminal, the intervals are drawn.

    table: the headers and the rows. corrected: the p-values that decide whether a difference is shown in colour. lower:
    whether lower is better.
    """
    columns = by_column(*table)
    marks = _marks(differences) if draws(console) else {}
    styles = [_style(one, p_value, lower) for one, p_value in zip(differences, corrected, strict=True)]
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


def _style(one: Estimate, p_value: float | None, lower: bool) -> str:
    if p_value is None or p_value > FAMILY_WISE_ERROR or not one.mean:
        return ""
    return "green" if (one.mean > 0) != lower else "red"


def _print_notes(leaderboard: Leaderboard, found: Sequence[PairedDifferences], console: Console) -> None:
    from rich.text import Text

    console.print()
    for note in difference_notes(leaderboard, found, "methods"):
        console.print(Text(note, style="dim"))
