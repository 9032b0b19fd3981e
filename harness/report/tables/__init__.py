"""The shipped table formats, a plugin like any other: each offers one rendering of the leaderboard."""

from __future__ import annotations

from collections.abc import Iterator

from harness.plugin.hookspecs import hookimpl
from harness.plugin.specs import TableFormatSpec


@hookimpl
def harness_table_formats() -> Iterator[TableFormatSpec]:
    """Offers md, csv, latex, html and json."""
    yield TableFormatSpec(
        name="md", summary="Markdown tables", extension="md", load="harness.report.tables.markdown:MarkdownTables"
    )
    yield TableFormatSpec(
        name="csv",
        summary="Comma-separated values at full precision, one row a method",
        extension="csv",
        load="harness.report.tables.comma_separated:CommaSeparatedTables",
    )
    yield TableFormatSpec(
        name="latex",
        summary="LaTeX tables (booktabs), by great_tables",
        extension="tex",
        load="harness.report.tables.latex:LatexTables",
    )
    yield TableFormatSpec(
        name="html",
        summary="One self-contained HTML page, by great_tables",
        extension="html",
        load="harness.report.tables.web_page:WebPage",
    )
    yield TableFormatSpec(
        name="json",
        summary="The leaderboard's own record, all of it",
        extension="json",
        load="harness.report.tables.record:JsonRecord",
    )
