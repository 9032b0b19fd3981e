"""A figure of the report before it is drawn, or the reason why it has no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.report.tables.layout import TextTable

if TYPE_CHECKING:
    import altair

Layout = Literal["wide", "narrow"]
"""wide: for about 1000 pixels. narrow: for about 350 pixels, the width of a phone."""
WIDTHS: dict[Layout, int] = {"wide": 1000, "narrow": 350}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure. name: used for its files and its anchor. caption: what is drawn, its units, n and intervals.
    description: alternative text. chart: returns the chart for a layout. numbers: the drawn numbers as a table."""

    name: str
    title: str
    caption: str
    description: str
    chart: Callable[[Layout], altair.TopLevelMixin]
    numbers: TextTable


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A figure that the run has no data for. reason: what is missing, and how to produce it."""

    name: str
    title: str
    reason: str


Row = dict[str, Any]
"""One mark of a figure: the fields that its encodings use, and `tip`, the text of its tooltip."""
