"""Tables for terminals of any width: columns that do not fit are moved to further tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 20
"""Wider names are folded if the numbers need the space."""
GAP = 2


def new_table(first: str, others: Sequence[str]) -> Table:
    """Returns an empty table. The first column is folded if it is too wide; the others contain numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for other in others:
        table.add_column(Text(other), justify="right", no_wrap=True)
    return table


def add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    """Adds a row of plain texts, without markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style=style)


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
