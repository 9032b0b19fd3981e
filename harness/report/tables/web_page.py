"""The leaderboard as one HTML page that needs nothing else."""

from __future__ import annotations

import html

from harness.plugin.config import NoConfig
from harness.plugin.interfaces import TableFormat
from harness.report.tables.display_table import display_table
from harness.report.tables.layout import text_tables
from harness.results.leaderboard import Leaderboard

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 2rem; }} section {{ overflow-x: auto; margin-bottom: 3rem; }}</style>
</head>
<body>
<main>
{sections}
</main>
</body>
</html>
"""


class WebPage(TableFormat):
    """Renders one section a table; each table is labelled by its title, its columns and rows by their headers."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        tables = text_tables(leaderboard)
        sections = [
            f'<section tabindex="0" aria-labelledby="table{index}-title">\n'
            f"{display_table(table, f'table{index}').as_raw_html()}\n</section>"
            for index, table in enumerate(tables)
        ]
        return _PAGE.format(title=html.escape(tables[0].title), sections="\n".join(sections))
