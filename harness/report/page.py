"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import markupsafe

from harness._util.version import VERSION
from harness.report.best import column_standings
from harness.report.figure import Absent, Figure
from harness.report.figures.agreement import agreement
from harness.report.figures.causal_split import causal_split
from harness.report.figures.conflicts import conflict_cosine, conflict_share
from harness.report.figures.contraction import contraction
from harness.report.figures.cost import cost
from harness.report.figures.forgetting import change_by_step, forgetting
from harness.report.figures.paired_differences import paired_differences
from harness.report.figures.pareto import pareto
from harness.report.figures.plasticity import plasticity_against_forgetting
from harness.report.figures.predicted_damage import predicted_damage
from harness.report.figures.prediction import prediction
from harness.report.figures.recoveries import recoveries
from harness.report.figures.rollback_curve import rollback_curve
from harness.report.figures.score_curves import score_curves
from harness.report.figures.training_curves import training_curves
from harness.report.figures.trajectories import trajectories
from harness.report.figures.transfer import transfer
from harness.report.headline import headline
from harness.report.looks import method_looks, method_numbers
from harness.report.notices import notices
from harness.report.plots.markup import MARKS, figure_markup, look_class, plot_environment, resource
from harness.report.plots.model import Matrix, size_of
from harness.report.plots.printable import printable
from harness.report.provenance_tables import measurement_table, provenance_tables
from harness.report.record import RunRecord
from harness.report.summary import method_stages, protocol_summary
from harness.report.tables.layout import TextTable, leaderboard_table, published_table
from harness.report.tables.probes import over_seeds, probe_tables
from harness.results.probe_tables import ProbeRecord

FIRST: tuple[Callable[[RunRecord], Figure | Absent], ...] = (
    trajectories,
    plasticity_against_forgetting,
    recoveries,
    pareto,
    paired_differences,
)
"""The figures above the leaderboard, which answer a researcher's first questions."""
FURTHER: tuple[Callable[[RunRecord], Figure | Absent], ...] = (
    transfer,
    forgetting,
    change_by_step,
    score_curves,
    training_curves,
    cost,
    conflict_cosine,
    conflict_share,
    rollback_curve,
    causal_split,
    contraction,
    predicted_damage,
    prediction,
    agreement,
)
MOST_OPEN_ROWS = 12
"""Longer tables are collapsed."""
MOST_DRAWN_MARKS = 5000
"""A larger view of a figure slows a browser down."""
MOST_HALF_COLUMNS = 8
MOST_UPRIGHT_COLUMNS = 9
"""A page whose leaderboard has more columns is printed in landscape."""
_NUMBER = re.compile(r"[+−]?\d[\d,.]*(?:e[+−-]?\d+)?(?: \[[^\]]*\])?$|–?$")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, kw_only=True)
class ShownFigure:
    """A figure as HTML, empty if it is too large, which `undrawn` says."""

    figure: Figure
    drawing: markupsafe.Markup
    undrawn: str = ""

    @property
    def half(self) -> bool:
        """Whether half of a wide page is enough: for a matrix of a few columns."""
        panels = [panel for view in self.figure.views for panel in view.panels]
        return len(panels) == 1 and isinstance(panels[0], Matrix) and len(panels[0].columns) <= MOST_HALF_COLUMNS


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
    """html: the page. figures: the figures that it shows. absent: figures without data. undrawn: the reason why a
    figure with data was not drawn, by title."""

    html: str
    figures: tuple[Figure, ...]
    absent: tuple[Absent, ...]
    undrawn: dict[str, str]


def make_report(record: RunRecord, probes: ProbeRecord | None = None, *, sections: Sequence[Section] = ()) -> Report:
    """Returns the report of a run. probes: the probe record for tables. sections: further ones, such as a browser of
    samples. The same record gives the same bytes."""
    numbers = method_numbers(record.leaderboard)
    absent: list[Absent] = []
    groups: list[list[ShownFigure]] = []
    for makers in (FIRST, FURTHER):
        made = [_made(make, record) for make in makers]
        absent += [one for one in made if isinstance(one, Absent)]
        groups.append([_shown(one, numbers) for one in made if isinstance(one, Figure)])
    html = _page(record, groups, absent, probes, sections)
    return Report(
        html=html,
        figures=tuple(one.figure for group in groups for one in group if not one.undrawn),
        absent=tuple(absent),
        undrawn={one.figure.title: one.undrawn for group in groups for one in group if one.undrawn},
    )


def _made(make: Callable[[RunRecord], Figure | Absent], record: RunRecord) -> Figure | Absent:
    """Returns a figure. A figure that fails becomes absent with the error, so that the others are still shown."""
    try:
        return make(record)
    except Exception as error:
        title = make.__name__.replace("_", " ").capitalize()
        return Absent(name=make.__name__, title=title, reason=f"An error occurred: {type(error).__name__}: {error}")


def _shown(figure: Figure, numbers: dict[str, int]) -> ShownFigure:
    size = max(size_of(view.panels) for view in figure.views)
    if size > MOST_DRAWN_MARKS:
        reason = f"the figure has {size:,} marks, and the limit is {MOST_DRAWN_MARKS:,}"
        return ShownFigure(figure=figure, drawing=markupsafe.Markup(), undrawn=reason)
    return ShownFigure(figure=figure, drawing=figure_markup(figure, numbers))


def _page(
    record: RunRecord,
    groups: Sequence[Sequence[ShownFigure]],
    absent: Sequence[Absent],
    probes: ProbeRecord | None,
    sections: Sequence[Section],
) -> str:
    environment = plot_environment()
    environment.filters |= {"texts": text_columns, "code": with_code, "range": unbroken_range, "look": look_class}
    leaderboard = record.leaderboard
    script = "\n".join([resource("plots.js"), _resource("page.js"), *(one.script for one in sections if one.script)])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    ranking = leaderboard_table(leaderboard)
    stages, more_methods = method_stages(leaderboard)
    values: dict[str, Any] = {
        "leaderboard": leaderboard,
        "headline": headline(leaderboard),
        "summary": protocol_summary(record),
        "stages": stages,
        "more_methods": more_methods,
        "methods": method_numbers(leaderboard),
        "looks": method_looks(leaderboard),
        "notices": notices(record),
        "ranking": ranking,
        "standings": column_standings(leaderboard),
        "across": len(ranking.columns) > MOST_UPRIGHT_COLUMNS,
        "first": groups[0],
        "further": groups[1],
        "absent": _by_reason(absent),
        "probes": probe_tables(probes) if probes is not None else [],
        "probe_seeds": over_seeds(probes) if probes is not None else "",
        "published": [published_table(table) for table in leaderboard.published],
        "measurement": measurement_table(leaderboard),
        "most_open": MOST_OPEN_ROWS,
        "provenance": provenance_tables(record.provenance),
        "protocol": record.protocol,
        "sections": sections,
        "style": "".join(
            [_resource("theme.css"), resource("plots.css"), _resource("page.css"), *(one.style for one in sections)]
        ),
        "script": script,
        "script_hash": f"sha256-{digest}",
        "version": VERSION,
        "marks": MARKS,
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


def _resource(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")
