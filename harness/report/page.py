"""The report as one HTML page that needs nothing else, and its figures as files."""

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
"""Longer tables of numbers are folded away below their figure."""
MOST_DRAWN_NUMBERS = 5000
"""A figure of more takes minutes to draw, and more megabytes than a browser shows at ease."""
MOST_UPRIGHT_COLUMNS = 9
"""A page with a leaderboard of more columns is printed on paper turned on its side."""
_NUMBER = re.compile(r"[+−]?\d[\d,.]*(?:e[+−-]?\d+)?(?: \[[^\]]*\])?$|–?$")
_CODE = re.compile(r"`([^`]+)`")
LAYOUTS: tuple[Layout, ...] = ("wide", "narrow")


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """A figure as the page shows it. drawings: SVG by layout, empty for one that could not be drawn. undrawn: why it
    could not. open: whether its numbers are in sight."""

    name: str
    title: str
    caption: str
    description: str
    drawings: dict[Layout, str]
    numbers: TextTable
    open: bool
    undrawn: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """html: the page. drawings: SVG of the figures' wide layouts, by their names. absent: figures without data.
    undrawn: why a figure was left out that has data, by its title."""

    html: str
    drawings: dict[str, str]
    absent: tuple[Absent, ...]
    undrawn: dict[str, str]


def make_report(record: RunRecord, probes: ProbeRecord | None = None) -> Report:
    """Returns the report of a run. probes: what they measured, for tables. The same record gives the same bytes."""
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
    return Report(html=_page(record, shown, absent, probes), drawings=drawings, absent=absent, undrawn=left_out)


def _made(make: Callable[[RunRecord], Figure | Absent], record: RunRecord) -> Figure | Absent:
    """Returns a figure. One that fails is left out with its reason: it must not cost the reader all others."""
    try:
        return make(record)
    except Exception as error:
        title = make.__name__.replace("_", " ").capitalize()
        return Absent(name=make.__name__, title=title, reason=f"It could not be made: {type(error).__name__}: {error}")


def _drawings(figure: Figure) -> tuple[dict[Layout, str], str]:
    """Returns a figure's drawings, and why there are none where it cannot be drawn."""
    size = len(figure.numbers.rows) * len(figure.numbers.columns)
    if size > MOST_DRAWN_NUMBERS:
        return {}, f"it has {size:,} numbers, and at most {MOST_DRAWN_NUMBERS:,} are drawn"
    try:
        return {layout: draw(figure.chart(layout), layout) for layout in LAYOUTS}, ""
    except UndrawnError as error:
        return {}, str(error)
    except Exception as error:
        return {}, f"{type(error).__name__}: {error}"


def _page(
    record: RunRecord, figures: Sequence[DrawnFigure], absent: Sequence[Absent], probes: ProbeRecord | None
) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown)
    environment.filters |= {"texts": text_columns, "code": with_code, "range": unbroken_range}
    leaderboard = record.leaderboard
    script = _resource("page.js")
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
        "style": _resource("page.css"),
        "script": script,
        "script_hash": f"sha256-{digest}",
        "version": VERSION,
    }
    return environment.from_string(_resource("page.html")).render(values) + "\n"


def _by_reason(absent: Sequence[Absent]) -> dict[str, str]:
    """Returns reasons by the titles of the figures that lack the same data."""
    titles: dict[str, list[str]] = {}
    for one in absent:
        titles.setdefault(one.reason, []).append(one.title)
    return {", ".join(together): reason for reason, together in titles.items()}


def text_columns(table: TextTable) -> list[bool]:
    """Returns, column by column, whether it holds words and not numbers."""
    return [any(not _NUMBER.match(row[index]) for row in table.rows) for index in range(len(table.columns))]


def with_code(text: str) -> markupsafe.Markup:
    """Returns the text as HTML, what stands between backquotes as code."""
    escaped = str(markupsafe.escape(printable(text)))
    return markupsafe.Markup(_CODE.sub(r"<code>\1</code>", escaped))


def unbroken_range(text: str) -> markupsafe.Markup:
    """Returns the text as HTML, an interval at its end marked, so that no line breaks within it."""
    mean, bracket, rest = printable(text).partition("[")
    if not bracket or not rest.endswith("]"):
        return markupsafe.escape(printable(text))
    return markupsafe.Markup('{}<span class="range">[{}</span>').format(mean, rest)


def _shown(value: Any) -> Any:
    return value if isinstance(value, markupsafe.Markup) else printable(value)


def _resource(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")


def notices(record: RunRecord) -> list[str]:
    """Returns what a reader has to know before the numbers: that the run is not whole, and what could not be read."""
    state = record.state
    told = []
    if state is not None and state.store_missing:
        told.append(
            "The store that belongs to this run was not found beside it: the leaderboard is shown as it was written, "
            "and what probes and steps reported is missing."
        )
    elif state is not None and state.done < state.nodes:
        so_far = f"{state.done} of {state.nodes} results are there"
        if state.stopped or state.failed:
            why = f"stopped: {state.stopped}" if state.stopped else f"ended with {state.failed} failed"
            told.append(f"This run is not complete ({why}): {so_far}. Running it again makes what is missing.")
        elif state.running:
            told.append(f"This run has not ended, it is still running or was killed: {so_far}.")
        else:
            told.append(f"This run is not complete: {so_far}. Running it again makes what is missing.")
    if record.problems:
        told.append(f"Left out, for it cannot be read: {'; '.join(record.problems)}.")
    return told
