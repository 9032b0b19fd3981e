"""Tables for a terminal of any width: columns that do not fit beside the names go into tables below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

NAME_WIDTH = 20
"""Wider names are folded where the numbers need the room."""
GAP = 2


def new_table(first: str, others: Sequence[str]) -> Table:
    """Returns an empty table: the first column is folded where it is too wide, the others hold numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for other in others:
        table.add_column(Text(other), justify="right", no_wrap=True)
    return table


def add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    """Adds a row of texts as they are, without markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style=style)


def column_groups(
    columns: Mapping[str, Sequence[str]], names: Sequence[str], width: int, *, name_width: int = NAME_WIDTH
) -> Iterator[list[str]]:
    """Yields the columns, given as what stands in each, in as many tables beside the names as the width asks for."""
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
