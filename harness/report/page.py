"""The report as one self-contained HTML page, and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
import markupsafe

from harness._util.version import VERSION
from harness.report.drawing import UndrawnError, draw, inline, printable
from harness.report.figure import Absent, Figure, Layout
from harness.report.figures.conflicts import conflict_cosine, conflict_share
from harness.report.figures.cost import cost
from harness.report.figures.forgetting import change_by_step, forgetting
from harness.report.figures.predicted_damage import predicted_damage
from harness.report.figures.prediction import prediction
from harness.report.figures.recoveries import recoveries
from harness.report.figures.rollback_curve import rollback_curve
from harness.report.figures.scores_by_step import scores_by_step
from harness.report.provenance_tables import measurement_table, provenance_tables
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, leaderboard_table, published_table
from harness.report.tables.probes import over_seeds, probe_tables
from harness.results.probe_tables import ProbeRecord

FIGURES: tuple[Callable[[RunRecord], Figure | Absent], ...] = (
    scores_by_step,
    forgetting,
    change_by_step,
    recoveries,
    predicted_damage,
    prediction,
    conflict_cosine,
    conflict_share,
    rollback_curve,
    cost,
)
MOST_OPEN_ROWS = 12
"""Longer tables of numbers are collapsed below their figure."""
MOST_DRAWN_NUMBERS = 5000
"""A larger figure takes minutes to draw and is too large for a browser."""
MOST_UPRIGHT_COLUMNS = 9
"""A page whose leaderboard has more columns is printed in landscape."""
_NUMBER = re.compile(r"[+−]?\d[\d,.]*(?:e[+−-]?\d+)?(?: \[[^\]]*\])?$|–?$")
_CODE = re.compile(r"`([^`]+)`")
LAYOUTS: tuple[Layout, ...] = ("wide", "narrow")


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """A figure as the page shows it. drawings: SVG by layout, empty if it could not be drawn. undrawn: the reason.
    open: whether its numbers are expanded."""

    name: str
    title: str
    caption: str
    description: str
    drawings: dict[Layout, str]
    numbers: TextTable
    open: bool
    undrawn: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A further section of the page, below the figures. html, style and script: trusted; `script` runs after the page's
    own. Data belongs in `html`, in a `<script type="application/json">`, which does not run."""

    name: str
    title: str
    html: markupsafe.Markup
    style: str = ""
    script: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """html: the page. drawings: SVG of the figures in the wide layout, by name. absent: figures without data. undrawn:
    the reason why a figure with data was not drawn, by title."""

    html: str
    drawings: dict[str, str]
    absent: tuple[Absent, ...]
    undrawn: dict[str, str]


def make_report(record: RunRecord, probes: ProbeRecord | None = None, *, sections: Sequence[Section] = ()) -> Report:
    """Returns the report of a run. probes: the probe record for tables. sections: further ones, such as a browser of
    samples. The same record gives the same bytes."""
    figures = [_made(make, record) for make in FIGURES]
    drawings: dict[str, str] = {}
    shown: list[DrawnFigure] = []
    for one in figures:
        if isinstance(one, Absent):
            continue
        drawn, undrawn = _drawings(one)
        if drawn:
            drawings[one.name] = drawn["wide"]
        shown.append(
            DrawnFigure(
                name=one.name,
                title=one.title,
                caption=one.caption,
                description=one.description,
                drawings={layout: inline(svg, f"{one.name}-{layout}-") for layout, svg in drawn.items()},
                numbers=one.numbers,
                open=len(one.numbers.rows) <= MOST_OPEN_ROWS,
                undrawn=undrawn,
            )
        )
    absent = tuple(one for one in figures if isinstance(one, Absent))
    left_out = {one.title: one.undrawn for one in shown if one.undrawn}
    return Report(
        html=_page(record, shown, absent, probes, sections), drawings=drawings, absent=absent, undrawn=left_out
    )


def _made(make: Callable[[RunRecord], Figure | Absent], record: RunRecord) -> Figure | Absent:
    """Returns a figure. A figure that fails becomes absent with the error, so that the others are still shown."""
    try:
        return make(record)
    except Exception as error:
        title = make.__name__.replace("_", " ").capitalize()
        return Absent(name=make.__name__, title=title, reason=f"An error occurred: {type(error).__name__}: {error}")


def _drawings(figure: Figure) -> tuple[dict[Layout, str], str]:
    """Returns a figure's drawings, or none and the reason why it cannot be drawn."""
    size = len(figure.numbers.rows) * len(figure.numbers.columns)
    if size > MOST_DRAWN_NUMBERS:
        return {}, f"the figure has {size:,} numbers, and the limit is {MOST_DRAWN_NUMBERS:,}"
    try:
        return {layout: draw(figure.chart(layout), layout) for layout in LAYOUTS}, ""
    except UndrawnError as error:
        return {}, str(error)
    except Exception as error:
        return {}, f"{type(error).__name__}: {error}"


def _page(
    record: RunRecord,
    figures: Sequence[DrawnFigure],
    absent: Sequence[Absent],
    probes: ProbeRecord | None,
    sections: Sequence[Section],
) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown)
    environment.filters |= {"texts": text_columns, "code": with_code, "range": unbroken_range}
    leaderboard = record.leaderboard
    script = "\n".join([_resource("page.js"), *(one.script for one in sections if one.script)])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    ranking = leaderboard_table(leaderboard)
    values: dict[str, Any] = {
        "leaderboard": leaderboard,
        "seeds": f"{'seed' if len(leaderboard.seeds) == 1 else 'seeds'} {', '.join(map(str, leaderboard.seeds))}",
        "notices": notices(record),
        "ranking": ranking,
        "across": len(ranking.columns) > MOST_UPRIGHT_COLUMNS,
        "figures": figures,
        "absent": _by_reason(absent),
        "probes": probe_tables(probes) if probes is not None else [],
        "probe_seeds": over_seeds(probes) if probes is not None else "",
        "published": [published_table(table) for table in leaderboard.published],
        "measurement": measurement_table(leaderboard),
        "most_open": MOST_OPEN_ROWS,
        "provenance": provenance_tables(record.provenance),
        "protocol": record.protocol,
        "sections": sections,
        "style": "".join([_resource("theme.css"), _resource("page.css"), *(one.style for one in sections)]),
        "script": script,
        "script_hash": f"sha256-{digest}",
        "version": VERSION,
    }
    return environment.from_string(_resource("page.html")).render(values) + "\n"


def _by_reason(absent: Sequence[Absent]) -> dict[str, str]:
    """Returns the reasons by the titles of the figures that share them."""
    titles: dict[str, list[str]] = {}
    for one in absent:
        titles.setdefault(one.reason, []).append(one.title)
    return {", ".join(together): reason for reason, together in titles.items()}


def text_columns(table: TextTable) -> list[bool]:
    """Returns for each column whether it contains text instead of numbers."""
    return [any(not _NUMBER.match(row[index]) for row in table.rows) for index in range(len(table.columns))]


def with_code(text: str) -> markupsafe.Markup:
    """Returns the text as HTML, with text between backquotes as code."""
    escaped = str(markupsafe.escape(printable(text)))
    return markupsafe.Markup(_CODE.sub(r"<code>\1</code>", escaped))


def unbroken_range(text: str) -> markupsafe.Markup:
    """Returns the text as HTML, with a final interval marked up so that it does not wrap."""
    mean, bracket, rest = printable(text).partition("[")
    if not bracket or not rest.endswith("]"):
        return markupsafe.escape(printable(text))
    return markupsafe.Markup('{}<span class="range">[{}</span>').format(mean, rest)


def _shown(value: Any) -> Any:
    return value if isinstance(value, markupsafe.Markup) else printable(value)


def _resource(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")


def notices(record: RunRecord) -> list[str]:
    """Returns warnings for the top of the page: the run is incomplete, or files could not be read."""
    state = record.state
    found = []
    if state is not None and state.store_missing:
        found.append(
            "The store of this run was not found. The leaderboard is shown as it was written, without the reports of "
            "probes and steps."
        )
    elif state is not None and state.done < state.nodes:
        so_far = f"{state.done} of {state.nodes} results are available"
        if state.stopped or state.failed:
            why = f"stopped: {state.stopped}" if state.stopped else f"ended with {state.failed} failed"
            found.append(f"This run is not complete ({why}): {so_far}. Run it again to compute the missing results.")
        elif state.running:
            found.append(f"This run is still running or was killed: {so_far}.")
        else:
            found.append(f"This run is not complete: {so_far}. Run it again to compute the missing results.")
    if record.problems:
        found.append(f"Left out because it cannot be read: {'; '.join(record.problems)}.")
    return found
