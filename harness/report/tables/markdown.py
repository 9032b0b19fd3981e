"""The leaderboard as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness._util.printable import printable
from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.report.tables.all_tables import text_tables
from harness.report.tables.layout import TextTable
from harness.results.leaderboard import Leaderboard

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$&])")
_BLOCK = re.compile(r"(?P<number>\d{0,9})(?P<mark>[-+.)](?=\s|$)|[-=]+$)")
"""What begins a list item, a rule or an underlined heading at the start of a line."""


def escape(text: str) -> str:
    """Returns text on one line, escaped so that Markdown shows it literally."""
    escaped = _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))
    block = _BLOCK.match(escaped)
    return f"{escaped[: block.start('mark')]}\\{escaped[block.start('mark') :]}" if block else escaped


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown_table(table: TextTable) -> str:
    """Returns a level-two heading, a pipe table, and its notes."""
    lines = [f"## {escape(table.title)}", "", escape(table.subtitle), ""]
    lines.append(_line([escape(column) for column in table.columns]))
    lines.append(_line([":--" if place < table.names else "--:" for place in range(len(table.columns))]))
    lines.extend(_line([escape(cell) for cell in row]) for row in table.rows)
    if table.notes:
        lines.extend(["", *(f"- {escape(note)}" for note in table.notes)])
    return "\n".join(lines) + "\n"


class MarkdownTables(TableFormat):
    """Renders pipe tables under level-two headings."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        return "\n".join(markdown_table(table) for table in text_tables(leaderboard))
