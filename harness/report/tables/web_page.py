"""The leaderboard as one self-contained HTML page."""

from __future__ import annotations

import html

from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.report.tables.all_tables import text_tables
from harness.report.tables.display_table import display_table
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
    """Renders one section per table, labelled by the table's title. Columns and rows are labelled by their headers."""

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
