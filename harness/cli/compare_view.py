"""Prints the comparison of two runs: settings, final scores, steps and test items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli.differences_view import print_averages, print_rows
from harness.cli.narrow_table import by_column, split_tables
from harness.report.tables.layout import interval, interval_notes, p_text
from harness.results.ranks import FAMILY_WISE_ERROR

if TYPE_CHECKING:
    from rich.console import Console

    from harness.results.run_comparison import RunComparison, StepDifference
    from harness.results.settings import SettingDifference

MOST_SETTINGS = 30
"""Further settings are in the output of `--json` and in the page."""
LONGEST_VALUE = 40


def print_comparison(found: RunComparison, console: Console) -> None:
    """Prints what differs between the runs."""
    from rich.text import Text

    console.print(Text(f"{found.first} − {found.second}", style="bold"), soft_wrap=True)
    _print_settings(found, console)
    for line in method_lines(found):
        console.print(Text(line), soft_wrap=True)
    if found.methods:
        digits = found.decimals
        console.print(Text("\nFinal scores: average", style="bold"))
        names = [one.method for one in found.methods]
        print_averages(console, "method", names, found.methods, digits)
        console.print(Text("\nAfter each step", style="bold"))
        _print_steps([one for one in found.steps if not one.same], digits, console)
        for note in notes(found):
            console.print(Text(note, style="dim"))
    if found.flips:
        console.print(Text("\nTest items: right in one run only", style="bold"))
        _print_flips(found, console)


def _print_settings(found: RunComparison, console: Console) -> None:
    from rich.text import Text

    console.print(Text(f"\n{len(found.settings)} settings differ", style="bold"))
    shown = found.settings[:MOST_SETTINGS]
    if shown:
        rows = [[short(one.first), short(one.second)] for one in shown]
        table = by_column(["A", "B"], rows)
        for part in split_tables(
            "setting", [setting_name(one) for one in shown], table, console.width, left=("A", "B")
        ):
            console.print()
            console.print(part)
    if len(found.settings) > len(shown):
        more = len(found.settings) - len(shown)
        console.print(Text(f"\nand {more} more: --json or -o compare.html shows them", style="dim"))


def setting_name(one: SettingDifference) -> str:
    """Returns the name of a setting with its source, and the steps that it is a setting of."""
    places = list(one.places)
    of = f" of {', '.join(places[:3])}{f' and {len(places) - 3} more' if len(places) > 3 else ''}" if places else ""
    return f"{one.source}: {one.name}{of}"


def short(value: str) -> str:
    """Returns a value that fits a table."""
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"


def method_lines(found: RunComparison) -> Iterator[str]:
    """Yields which methods only one run has, or cannot be paired."""
    for names, text in (
        (found.only_first, f"only in {found.first}"),
        (found.only_second, f"only in {found.second}"),
        (found.unpaired, "without a seed that both runs have"),
    ):
        if names:
            yield f"\nMethods {text}: {', '.join(names)}"


def notes(found: RunComparison) -> list[str]:
    """Returns notes on intervals and p-values, and on what the same checkpoints are."""
    same = len({(one.method, one.step) for one in found.steps if one.same})
    shown = interval_notes(
        [*(one.score for one in found.steps if not one.same), *(one.average for one in found.methods)]
    )
    return [
        *shown,
        "p: two-sided paired t test over seeds. p (Holm): corrected over the methods, and over all steps and domains.",
        *([f"Left out: {same} of the steps, whose checkpoints are the same in both runs."] if same else []),
        *([f"Lower is better: {', '.join(found.lower)}."] if found.lower else []),
    ]


def _print_steps(steps: list[StepDifference], digits: int, console: Console) -> None:
    from rich.text import Text

    if not steps:
        console.print(Text("\nAll steps have the same checkpoints in both runs."))
        return
    names = [f"{one.place}: {one.column}" for one in steps]
    rows = [[interval(one.score, digits), p_text(one.p_value), p_text(one.holm_p_value)] for one in steps]
    heads = ["difference", "p", "p (Holm)"]
    differences, corrected = [one.score for one in steps], [one.holm_p_value for one in steps]
    print_rows(console, "step and domain", names, (heads, rows), differences=differences, corrected=corrected)
    shown = sum(value is not None and value <= FAMILY_WISE_ERROR for value in corrected)
    console.print(Text(f"\n{shown} of {len(steps)} differences are shown after correction."))


def _print_flips(found: RunComparison, console: Console) -> None:
    names = [f"{one.place}: {one.domain}" for one in found.flips]
    heads = ["only in A", "only in B", "both", "neither", "items"]
    rows = [
        [str(count) for count in (one.first_only, one.second_only, one.both, one.neither, one.items)]
        for one in found.flips
    ]
    for part in split_tables("step and domain", names, by_column(heads, rows), console.width):
        console.print()
        console.print(part)
