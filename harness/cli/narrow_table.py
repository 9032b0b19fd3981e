"""Tables for terminals of any width: columns that do not fit are moved to further tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness._util.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 20
"""Wider names are folded if the numbers need the space."""
GAP = 2


def new_table(first: str, others: Sequence[str], *, left: Collection[str] = ()) -> Table:
    """Returns an empty table. The first column is folded if it is too wide; the others contain numbers, or texts if
    they are in `left`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for other in others:
        table.add_column(Text(printable(other)), justify="left" if other in left else "right", no_wrap=True)
    return table


def add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    """Adds a row of plain texts, without markup; control characters are escaped, so that widths are right."""
    from rich.text import Text

    table.add_row(*(Text(printable(cell)) for cell in cells), style=style)


def column_groups(
    columns: Mapping[str, Sequence[str]], names: Sequence[str], width: int, *, name_width: int = NAME_WIDTH
) -> Iterator[list[str]]:
    """Splits columns, given as their cells, into groups that fit the width together with the names."""
    beside = min(name_width, max(map(len, names), default=0))
    group: list[str] = []
    used = beside
    for column, texts in columns.items():
        needed = GAP + max(map(len, texts), default=0)
        if group and used + needed > width:
            yield group
            group, used = [], beside
        group.append(column)
        used += needed
    yield group


def split_tables(
    first: str,
    names: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    width: int,
    *,
    styles: Sequence[str] = (),
    left: Collection[str] = (),
) -> Iterator[Table]:
    """Yields tables with a row per name, each with the columns that fit the width.

    styles: of the rows. left: the columns that contain texts.
    """
    with_heads = {column: [column, *texts] for column, texts in columns.items()}
    for group in column_groups(with_heads, [first, *names], width):
        table = new_table(first, group, left=left)
        for index, name in enumerate(names):
            add_row(table, [name, *(columns[column][index] for column in group)], styles[index] if styles else "")
        yield table


def by_column(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Returns the cells of rows by their column."""
    return {head: [row[index] for row in rows] for index, head in enumerate(heads)}
