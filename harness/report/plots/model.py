"""What a plot shows, regardless of how it is drawn: points on two axes, rows on one axis, or a coloured matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Shape = Literal["circle", "triangle", "diamond", "square"]
Scale = Literal["linear", "log", "symlog"]
SHAPES: tuple[Shape, ...] = ("circle", "triangle", "diamond", "square")


NEAR_AN_END = 15.0
"""In percent of an axis: a text there is not centred."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis from `low` to `high`. ticks: values and their labels. names: labels of equal parts of the axis, in place
    of ticks. scale: `low` is positive on a logarithmic one; `symlog` is logarithmic far above `constant` and linear far
    below it, so that it can show 0: sign(x) · log(1 + |x| / constant), as in D3 and Vega."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()
    names: tuple[str, ...] = ()
    scale: Scale = "linear"
    constant: float = 1.0

    def place(self, value: float) -> float:
        """Returns the position of a value in percent of the axis, within 0 and 100."""
        at, low, high = (self._scaled(max(one, self.low)) for one in (value, self.low, self.high))
        return 100.0 * min(max((at - low) / (high - low), 0.0), 1.0)

    def at(self, place: float) -> float:
        """Returns the value at a position in percent of the axis, the inverse of `place`."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        at = low + (high - low) * place / 100.0
        if self.scale == "symlog":
            return math.copysign(self.constant * math.expm1(abs(at)), at)
        return math.exp(at) if self.scale == "log" else at

    def _scaled(self, value: float) -> float:
        if self.scale == "symlog":
            return math.copysign(math.log1p(abs(value) / self.constant), value)
        return math.log(value) if self.scale == "log" else value


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point with its tooltip. low, high: the vertical interval. left, right: the horizontal interval. drawn: whether
    the point has a symbol, or only bends its line. label: text above it."""

    x: float
    y: float
    tip: str = ""
    low: float | None = None
    high: float | None = None
    left: float | None = None
    right: float | None = None
    shape: Shape = "circle"
    drawn: bool = True
    label: str = ""

    @property
    def top(self) -> float:
        """The upper end of the mark: of its interval, if it has one."""
        return self.y if self.high is None else self.high


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one colour. look: its number, from which colour and dash follow; None for the grey of controls. method:
    the method that it belongs to, if any. line: whether a line joins the points. band: whether the vertical intervals
    are an area along the line, and not one whisker per point. small: whether the points are small."""

    name: str
    marks: tuple[Mark, ...]
    look: int | None
    method: str | None = None
    line: bool = True
    band: bool = False
    small: bool = False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A line across the panel. along: the axis that `at` is a value of."""

    at: float
    along: Literal["x", "y"]
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Points:
    """A panel of points on two axes."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a `Rows` panel. value: None if there is none, with the reason in `text`. text: its numbers."""

    label: str
    text: str
    tip: str
    value: float | None
    low: float | None = None
    high: float | None = None
    look: int | None = 0
    method: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A panel of rows on one axis. bars: bars from 0, which the axis has to contain, instead of points. zero: whether 0
    has a line."""

    title: str
    axis: Axis
    lines: tuple[Line, ...]
    bars: bool = False
    zero: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a matrix: its value, the text written into it, and its tooltip."""

    value: float
    text: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class MatrixLine:
    """A row of a matrix. cells: None where there is no value."""

    label: str
    cells: tuple[Cell | None, ...]
    method: str | None = None


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A panel of coloured cells. down, across: what the rows and columns are. low, high: the values of full colour;
    colours meet at 0. low_is_bad: negative values have the colour of harm, otherwise positive ones."""

    title: str
    down: str
    across: str
    columns: tuple[str, ...]
    lines: tuple[MatrixLine, ...]
    low: float
    high: float
    low_is_bad: bool = False

    def strength(self, cell: Cell) -> float:
        """Returns how strong a cell's colour is, from 0 to 1."""
        end = self.high if cell.value > 0 else self.low
        return min(abs(cell.value / end), 1.0) if end else 0.0

    def is_harm(self, cell: Cell) -> bool:
        """Returns whether a cell has the colour of harm."""
        return (cell.value < 0) == self.low_is_bad


Panel = Points | Rows | Matrix


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to show a figure: the panels, and the name under which the page offers it."""

    name: str
    panels: tuple[Panel, ...]


def size_of(panels: Sequence[Panel]) -> int:
    """Returns the number of marks."""
    count = 0
    for panel in panels:
        if isinstance(panel, Points):
            count += sum(len(series.marks) for series in panel.series)
        else:
            count += len(panel.lines) * (len(panel.columns) if isinstance(panel, Matrix) else 1)
    return count


def legend_of(panels: Sequence[Panel]) -> list[Series]:
    """Returns one series per name, in the order of the panels."""
    found: dict[str, Series] = {}
    for panel in panels:
        for series in panel.series if isinstance(panel, Points) else ():
            found.setdefault(series.name, series)
    return list(found.values())
