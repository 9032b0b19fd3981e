"""A figure of the report before it is drawn, and what stands in the place of one that has no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.report.tables.layout import TextTable

if TYPE_CHECKING:
    import altair

Layout = Literal["wide", "narrow"]
"""wide: for some 1000 pixels. narrow: for some 350, the width of a telephone."""
WIDTHS: dict[Layout, int] = {"wide": 1000, "narrow": 350}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure. name: of its files and its anchor. caption: what is drawn, its units, n and intervals. description:
    what a person who does not see it is told. chart: makes it for a layout. numbers: what is drawn, as a table."""

    name: str
    title: str
    caption: str
    description: str
    chart: Callable[[Layout], altair.TopLevelMixin]
    numbers: TextTable


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A figure that the run has no data for. reason: what is missing, and what would produce it."""

    name: str
    title: str
    reason: str


Row = dict[str, Any]
"""One mark of a figure: fields by the names that its encodings use, `tip` for what hovering over it tells."""
