"""Prints the probe tables of a run, and other tables in the same form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.narrow_table import GAP, NAME_WIDTH, add_row, column_groups, new_table
from harness.report.tables.layout import TextTable
from harness.report.tables.probes import over_seeds, probe_tables
from harness.results.probe_tables import ProbeRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

_BETWEEN = " · "


def print_probes(record: ProbeRecord, console: Console) -> None:
    """Prints one table per probe, and the values that are equal in all rows."""
    from rich.text import Text

    console.print(Text(f"{record.protocol}: probes", style="bold"))
    console.print(Text(over_seeds(record), style="dim"))
    for text in probe_tables(record):
        console.print()
        print_table(text, console)


def print_table(text: TextTable, console: Console) -> None:
    """Prints a table with its title and notes, in parts that fit the width."""
    from rich.text import Text

    console.print(Text(text.title, style="bold"))
    console.print(Text(text.subtitle, style="dim"))
    for table in _in_width(text, console.width):
        console.print()
        console.print(table)
    if text.notes:
        console.print()
    for note in text.notes:
        console.print(Text(note, style="dim"))


def _in_width(text: TextTable, width: int) -> Iterator[Table]:
    """Yields the table, with its key columns joined, in parts that fit the width."""
    names = [_BETWEEN.join(row[: text.names]) for row in text.rows]
    heads = dict(enumerate(text.columns[text.names :], start=text.names))
    columns = {str(place): [head, *(row[place] for row in text.rows)] for place, head in heads.items()}
    for group in column_groups(columns, names, width, name_width=max(NAME_WIDTH, width // 2 - GAP)):
        table = new_table(_BETWEEN.join(text.columns[: text.names]), [columns[place][0] for place in group])
        for index, row in enumerate(text.rows):
            add_row(table, [names[index], *(row[int(place)] for place in group)])
        yield table
