"""A figure of the report before it is drawn, or the reason why it has no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.report.plots.model import View
from harness.report.tables.layout import TextTable


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure. name: used for its files and its anchor. caption: what is drawn, its units, n and intervals.
    description: alternative text. views: the ways to show it, the first one first. choice: what the views differ in,
    such as the horizontal axis. numbers: the drawn numbers as a table. open: whether the page shows that table without
    a click."""

    name: str
    title: str
    caption: str
    description: str
    views: tuple[View, ...]
    numbers: TextTable
    choice: str = ""
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A figure that the run has no data for. reason: what is missing, and how to produce it."""

    name: str
    title: str
    reason: str


Row = dict[str, Any]
"""A mark of a chart: the fields that its encodings use."""
