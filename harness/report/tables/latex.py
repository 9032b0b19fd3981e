"""The leaderboard as LaTeX tables."""

from __future__ import annotations

import re
from dataclasses import replace

from harness._util.printable import printable
from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.report.tables.all_tables import text_tables
from harness.report.tables.display_table import display_table
from harness.report.tables.layout import TextTable
from harness.results.leaderboard import Leaderboard

# Characters that pdfLaTeX's default fonts lack.
_AS_COMMANDS = {
    "−": "$-$",
    "→": "$\\rightarrow$",
    "↓": "$\\downarrow$",
    "†": "$\\dagger$",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
    "Σ": "$\\Sigma$",
}

_DASHES = re.compile(r"-(?=-)")
"""LaTeX makes one dash of several hyphens."""
_STAR = re.compile(r"^\*", re.MULTILINE)
r"""At the start of a row, a star would belong to the `\\` that ends the row before."""


class LatexTables(TableFormat):
    """Renders one `table` environment per table. Requires the LaTeX packages booktabs and caption."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        parts = ["% \\usepackage{booktabs,caption}\n"]
        for index, table in enumerate(text_tables(leaderboard)):
            text = display_table(_on_lines(table), f"table{index}").as_latex()
            for character, command in _AS_COMMANDS.items():
                text = text.replace(character, command)
            text = _DASHES.sub("-{}", text)
            parts.append(_STAR.sub("{}*", text).strip() + "\n")
        return "\n".join(parts)


def _on_lines(table: TextTable) -> TextTable:
    """Returns the table with each text on one line and without control characters: a paragraph in a cell is an
    error."""

    def line(text: str) -> str:
        return printable(" ".join(text.split()))

    return replace(
        table,
        title=line(table.title),
        subtitle=line(table.subtitle),
        columns=tuple(map(line, table.columns)),
        rows=tuple(tuple(map(line, row)) for row in table.rows),
        notes=tuple(map(line, table.notes)),
    )
