"""The tables of a comparison of two runs."""

from __future__ import annotations

from harness.report.tables.layout import TextTable, interval, interval_notes, p_text
from harness.results.run_comparison import RunComparison
from harness.results.settings import SettingDifference


def settings_table(found: RunComparison) -> TextTable:
    """Returns one row per setting that differs."""
    rows = (
        (_name(one), ", ".join(one.places) or "the run", one.source, one.first, one.second) for one in found.settings
    )
    return TextTable(
        title="Settings that differ",
        subtitle="Of the protocol as written, of the plan with all defaults, of the measurement, and of the provenance",
        columns=("Setting", "Of", "Source", found.first, found.second),
        rows=tuple(rows),
    )


def _name(one: SettingDifference) -> str:
    return one.name or one.source


def final_table(found: RunComparison) -> TextTable:
    """Returns one row per method: the differences of its final scores with the corrected p-value of the average."""
    digits = found.decimals
    rows = []
    for one in found.methods:
        cells = [interval(one.scores.get(column), digits) for column in found.columns]
        seeds = ", ".join(map(str, one.seeds))
        rows.append((one.method, interval(one.average, digits), p_text(one.average_holm_p_value), *cells, seeds))
    return TextTable(
        title="Final scores",
        subtitle=f"{found.first} − {found.second}, paired by seed, with 95 % intervals",
        columns=("Method", "Average", "p (Holm)", *found.columns, "Seeds"),
        rows=tuple(rows),
        notes=(
            *interval_notes(one.average for one in found.methods),
            "p (Holm): two-sided paired t test over seeds, corrected over the methods.",
        ),
    )


def steps_table(found: RunComparison) -> TextTable:
    """Returns one row per step and column."""
    digits = found.decimals
    steps = [one for one in found.steps if not one.same]
    same = len({(one.method, one.step) for one in found.steps if one.same})
    left_out = [f"Left out: {same} of the steps, whose checkpoints are the same in both runs."] if same else []
    rows = [
        (
            one.place,
            one.column,
            interval(one.score, digits),
            p_text(one.p_value),
            p_text(one.holm_p_value),
        )
        for one in steps
    ]
    return TextTable(
        title="After each step",
        subtitle=f"{found.first} − {found.second}, paired by seed, with 95 % intervals",
        columns=("Step", "Domain", "Difference", "p", "p (Holm)"),
        rows=tuple(rows),
        notes=("p (Holm): corrected over all rows of this table.", *left_out),
        names=2,
    )


def items_table(found: RunComparison) -> TextTable:
    """Returns one row per step and domain: how many test items only one run answers right."""
    rows = [
        (
            one.place,
            one.domain,
            *map(str, (one.first_only, one.second_only, one.both, one.neither, one.unmatched, one.items)),
        )
        for one in found.flips
    ]
    return TextTable(
        title="Test items",
        subtitle="Items that are right in one run, in both or in neither, over the seeds that both have",
        columns=(
            *("Step", "Domain", f"Only {found.first}", f"Only {found.second}"),
            *("Both", "Neither", "Not comparable", "Items"),
        ),
        rows=tuple(rows),
        names=2,
    )
