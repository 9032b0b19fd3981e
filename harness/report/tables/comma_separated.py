"""The leaderboard as comma-separated values for programs: full precision, empty cells for missing numbers."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.results.frame import leaderboard_frame
from harness.results.leaderboard import Leaderboard
from harness.results.published import PublishedTable

_FORMULA = re.compile(r"[\t\r\n]|\s*[=+@＝＋＠－-]")


class CommaSeparatedTables(TableFormat):
    """Renders one row per method. Published tables follow, each after an empty line and with its own header."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        frames = [_frame(leaderboard_frame(leaderboard).to_dicts())]
        frames.extend(_published(table) for table in leaderboard.published)
        return "\n".join(frame.write_csv() for frame in frames)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    plain = [{_plain(key): _plain(value) for key, value in row.items()} for row in rows]
    return pl.DataFrame(plain, infer_schema_length=None)


def _plain(cell: Any) -> Any:
    """Returns text with a leading apostrophe if a spreadsheet would read it as a formula."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _published(table: PublishedTable) -> pl.DataFrame:
    rows = []
    for row in table.rows:
        cells: dict[str, Any] = {
            "published": table.title,
            "arxiv": table.arxiv,
            "url": table.url,
            "model": row.model,
            "method": row.method,
        }
        for column in table.columns:
            cell = row.cells[column]
            cells[column] = cell.value if cell else None
            cells[f"{column}_grade"] = cell.grade if cell else None
        rows.append(cells | {"note": row.note or None})
    return _frame(rows)
