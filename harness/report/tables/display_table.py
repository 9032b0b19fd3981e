"""A text table as a great_tables table, with special characters of HTML and LaTeX escaped."""

from __future__ import annotations

from typing import Any

import polars as pl

from harness._util.extras import require_extra
from harness.report.tables.layout import TextTable


def display_table(table: TextTable, identifier: str) -> Any:
    """Returns a `great_tables.GT` whose first column contains the row names. identifier: the id of its HTML."""
    require_extra("report", "great_tables", wanted_by="a leaderboard as HTML or LaTeX")
    from great_tables import GT

    keys = [f"column{index}" for index in range(len(table.columns))]
    frame = pl.DataFrame(list(table.rows), schema=dict.fromkeys(keys, pl.String), orient="row")
    shown = (
        GT(frame, rowname_col=keys[0], id=identifier)
        .tab_header(title=table.title, subtitle=table.subtitle)
        .tab_stubhead(label=table.columns[0])
        .cols_label(cases=dict(zip(keys[1:], table.columns[1:], strict=True)))
        .cols_align(align="right", columns=keys[1:])
        # Only formatted cells are escaped in LaTeX.
        .fmt_passthrough(columns=keys)
    )
    for note in table.notes:
        shown = shown.tab_source_note(note)
    return shown
