"""The leaderboard as LaTeX tables."""

from __future__ import annotations

from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.report.tables.display_table import display_table
from harness.report.tables.layout import text_tables
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


class LatexTables(TableFormat):
    """Renders one `table` environment per table. Requires the LaTeX packages booktabs and caption."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        parts = ["% \\usepackage{booktabs,caption}\n"]
        for index, table in enumerate(text_tables(leaderboard)):
            text = display_table(table, f"table{index}").as_latex()
            for character, command in _AS_COMMANDS.items():
                text = text.replace(character, command)
            parts.append(text.strip() + "\n")
        return "\n".join(parts)
