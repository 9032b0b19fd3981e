"""Renders the pages of a site and gathers its files. The same records give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import jinja2
import markupsafe

from harness._util.printable import printable
from harness._util.version import VERSION
from harness.plugin.config import NoConfig
from harness.plugin.registry import Registry
from harness.report.captions import items, over_scored_seeds
from harness.report.figure import Figure
from harness.report.figures.pareto import pareto
from harness.report.plots.markup import MARKS, figure_markup, page_environment, resource
from harness.report.provenance_tables import measurement_table, provenance_tables
from harness.report.record import RunRecord
from harness.report.site.board_table import BoardTable, board_table
from harness.report.site.citations import Work, bibliography, cited_tables, works_of
from harness.report.site.method_tables import cost_table, difference_table, recoveries_of, score_table, settings_of
from harness.report.site.names import arxiv_link, file_name, folder_name, web_link
from harness.report.site.records import Board
from harness.report.site.training import curves_of
from harness.report.site.trajectory import lineage_table, panels, trajectory_table
from harness.report.tables.comma_separated import CommaSeparatedTables
from harness.report.tables.layout import TextTable, leaderboard_table, published_table
from harness.report.tables.recoveries import recovery_table
from harness.results.leaderboard import SCHEMA_VERSION, Row
from harness.results.published import PublishedTable

_NUMBER = re.compile(r"[+−<]?\d[\d,.]*(?:e[+−-]?\d+)?(?: \[[^\]]*\])?$|–?$")
_BEST_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class BoardPage:
    """A board with what its pages show. folder: the folder of its pages. reports: the files of the reports of its
    records, by place."""

    board: Board
    folder: str
    table: BoardTable
    works: Sequence[Work]
    published: Sequence[PublishedTable]
    reports: Mapping[str, str]

    @property
    def title(self) -> str:
        return self.board.leaderboard.protocol

    @property
    def places(self) -> str:
        """The places of its records; empty if the place is just the protocol's name."""
        places = ", ".join(record.place for record in self.board.records)
        return "" if places == self.title else places

    @property
    def best(self) -> list[Row]:
        """The first methods of the best rank group."""
        return [row for row in self.board.leaderboard.rows if row.rank_group == 1][:_BEST_SHOWN]

    @property
    def best_count(self) -> int:
        return sum(row.rank_group == 1 for row in self.board.leaderboard.rows)

    @property
    def methods(self) -> int:
        return sum(not row.reference for row in self.board.leaderboard.rows)

    @property
    def outdated(self) -> list[str]:
        """The places of records of an older schema."""
        return [record.place for record in self.board.records if record.stored_schema < SCHEMA_VERSION]


def site_files(
    boards: Sequence[Board],
    published: Sequence[PublishedTable],
    registry: Registry,
    reports: Mapping[str, Mapping[str, str]],
) -> dict[str, bytes]:
    """Returns the files of a site by their paths, with slashes.

    published: rows of papers, shown apart. reports: the HTML of a report by the place of its record, for each board by
    its place; may be empty.
    """
    pages = [_board_page(board, published, registry, reports.get(board.place, {})) for board in boards]
    environment = _environment()
    style = files("harness.report").joinpath("theme.css").read_text(encoding="utf-8") + _resource("site.css")
    found = {"site.css": style.encode(), "site.js": _resource("site.js").encode()}
    found |= {name: resource(name).encode() for name in ("plots.css", "plots.js")}

    def write(path: str, template: str, **values: Any) -> None:
        text = environment.get_template(template).render(root="../" * path.count("/"), path=path, **values)
        found[path] = text.encode() + b"\n"

    tables = _shown_apart(published)
    write("index.html", "index.html", pages=pages, published=tables)
    if tables:
        write("published.html", "published.html", tables=tables)
    for page in pages:
        _write_board(page, write, found)
        for place, html in reports.get(page.board.place, {}).items():
            found[f"{page.folder}/{page.reports[place]}"] = html.encode()
    return dict(sorted(found.items()))


def _board_page(
    board: Board, published: Sequence[PublishedTable], registry: Registry, reports: Mapping[str, str]
) -> BoardPage:
    works = works_of(board, registry)
    tables: list[PublishedTable] = []
    for table in (
        *(one for kept in board.records for one in kept.leaderboard.published),
        *cited_tables(works, published),
    ):
        if table not in tables:
            tables.append(table)
    files_of = {place: "report.html" if len(reports) == 1 else f"report-{file_name(place)}.html" for place in reports}
    return BoardPage(
        board=board,
        folder=f"boards/{folder_name(board.place)}",
        table=board_table(board.leaderboard),
        works=works_of(board, registry, tables),
        published=tables,
        reports=files_of,
    )


def _write_board(page: BoardPage, write: Any, found: dict[str, bytes]) -> None:
    leaderboard = page.board.leaderboard
    recoveries = any(row.recoveries for row in leaderboard.rows)
    front = pareto(RunRecord(leaderboard=leaderboard, protocol="", provenance={}))
    write(
        f"{page.folder}/index.html",
        "board.html",
        page=page,
        leaderboard=leaderboard,
        seeds=over_scored_seeds(leaderboard),
        items=items(leaderboard),
        notes=leaderboard_table(leaderboard).notes,
        front=front if isinstance(front, Figure) else None,
        drawing=figure_markup(front, {}) if isinstance(front, Figure) else "",
        marks=MARKS,
        recoveries=recovery_table(leaderboard) if recoveries else None,
        measurement=measurement_table(leaderboard),
        provenance=[(record, provenance_tables(record.provenance)) for record in page.board.records],
        published=_shown_apart(page.published),
        bibliography=bibliography(page.works),
    )
    found[f"{page.folder}/leaderboard.json"] = leaderboard.to_json().encode()
    found[f"{page.folder}/leaderboard.csv"] = CommaSeparatedTables(NoConfig()).render(leaderboard).encode()
    if page.works:
        found[f"{page.folder}/citations.bib"] = bibliography(page.works).encode()
    for shown, row in zip(page.table.rows, leaderboard.rows, strict=True):
        records = [one for one in page.board.records if any(_same(row, other) for other in one.leaderboard.rows)]
        write(
            f"{page.folder}/methods/{shown.page}",
            "method.html",
            page=page,
            leaderboard=leaderboard,
            row=row,
            shown=shown,
            scores=score_table(leaderboard, row),
            difference=difference_table(leaderboard, row),
            recoveries=recoveries_of(leaderboard, row),
            panels=panels(leaderboard, row),
            trajectory=trajectory_table(leaderboard, row),
            lineage=lineage_table(row),
            curves=curves_of(records, row),
            cost=None if row.reference else cost_table(row),
            settings=settings_of(records, row.method),
        )


def _shown_apart(published: Sequence[PublishedTable]) -> list[tuple[PublishedTable, TextTable]]:
    """Returns the tables with their texts: the paper's title as the heading, the source within the paper below it."""
    return [(one, replace(published_table(one), title=one.title, subtitle=one.source)) for one in published]


def _same(row: Row, other: Row) -> bool:
    return (row.method, row.definition) == (other.method, other.definition)


def _environment() -> jinja2.Environment:
    environment = page_environment(_resource, _shown)
    environment.filters |= {"texts": _text_columns, "web_link": web_link, "arxiv_link": arxiv_link}
    environment.globals |= {"version": VERSION}
    return environment


def _shown(value: Any) -> Any:
    """Returns text without control and bidirectional formatting characters, which HTML cannot contain or which reorder
    the text around them."""
    return value if isinstance(value, markupsafe.Markup) or not isinstance(value, str) else printable(value)


def _text_columns(table: TextTable) -> list[bool]:
    """Returns for each column whether it contains text instead of numbers."""
    return [any(not _NUMBER.match(row[index]) for row in table.rows) for index in range(len(table.columns))]


def _resource(name: str) -> str:
    return files("harness.report.site").joinpath("templates", name).read_text(encoding="utf-8")
