"""The built-in table formats, registered as a plugin."""

from __future__ import annotations

from collections.abc import Iterator

from harness.plugin.hookspecs import hookimpl
from harness.plugin.specs import TableFormatSpec


@hookimpl
def harness_table_formats() -> Iterator[TableFormatSpec]:
    """Yields the formats md, csv, latex, html and json."""
    yield TableFormatSpec(
        name="md", summary="Markdown tables", extension="md", load="harness.report.tables.markdown:MarkdownTables"
    )
    yield TableFormatSpec(
        name="csv",
        summary="Comma-separated values at full precision, one row per method",
        extension="csv",
        load="harness.report.tables.comma_separated:CommaSeparatedTables",
    )
    yield TableFormatSpec(
        name="latex",
        summary="LaTeX tables (booktabs), rendered with great_tables",
        extension="tex",
        load="harness.report.tables.latex:LatexTables",
    )
    yield TableFormatSpec(
        name="html",
        summary="One self-contained HTML page, rendered with great_tables",
        extension="html",
        load="harness.report.tables.web_page:WebPage",
    )
    yield TableFormatSpec(
        name="json",
        summary="The complete leaderboard record as JSON",
        extension="json",
        load="harness.report.tables.record:JsonRecord",
    )
