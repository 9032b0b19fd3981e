"""Colours, dashes and type of the figures.

Series are told apart by the colours of Okabe and Ito 2008, "Color Universal Design"
(jfly.uni-koeln.de/color), and by dash or shape as well. Yellow is left out: on paper it has no contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.report.figure import Layout

INK, MUTED, GRID, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#ffffff"
ON_CELL = "#111111"
"""Text on the cells of heat maps, whose colours are the same in both schemes."""
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
CONTROL = "#8a939d"
"""Bars of random controls: grey, since they are what is compared against."""
LOW, MIDDLE, HIGH = "#56b4e9", "#f2f2f2", "#d55e00"
"""The ends and the middle of diverging heat maps. `ON_CELL` has a contrast of 4.5 and more on all that lies between."""
DASHES = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3), (4, 4), (1, 3), (9, 2))
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PAPER: "var(--paper)"}
"""What the page lets its colour scheme decide: everything but the series."""
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

_AXIS = {
    "labelColor": INK,
    "titleColor": INK,
    "domainColor": MUTED,
    "tickColor": MUTED,
    "gridColor": GRID,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "labelLimit": 170,
}
_LEGEND = {"wide": 180, "narrow": 280}
_HEADER = {"wide": 380, "narrow": 275}
"""The most pixels that a name takes there; it is whole in tooltips and tables."""
_CONFIG: dict[str, Any] = {
    "background": PAPER,
    "font": FONT,
    "view": {"stroke": GRID},
    "axis": _AXIS,
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "orient": "bottom",
        "direction": "horizontal",
        "symbolStrokeWidth": 2,
        "symbolSize": 110,
    },
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 13, "labelFontWeight": "bold"},
    "title": {"color": INK, "fontSize": 13, "anchor": "start"},
    "text": {"color": INK, "fontSize": 12},
    "bar": {"color": SERIES[0]},
    "rule": {"color": MUTED},
    "rect": {"stroke": PAPER, "strokeWidth": 1},
}


def config(layout: Layout) -> dict[str, Any]:
    """Returns what holds for all charts of a layout."""
    return _CONFIG | {
        "legend": _CONFIG["legend"] | {"labelLimit": _LEGEND[layout]},
        "header": _CONFIG["header"] | {"labelLimit": _HEADER[layout]},
    }


def colours(count: int) -> list[str]:
    """Returns a colour for each of `count` series; past the seventh they come again, with other dashes and shapes."""
    return _cycled(SERIES, count)


def dashes(count: int) -> list[list[int]]:
    """Returns a dash for each of `count` series; a colour that comes again comes with another dash."""
    return [list(DASHES[(index + index // len(SERIES)) % len(DASHES)]) for index in range(count)]


def _cycled(choices: Sequence[str], count: int) -> list[str]:
    return [choices[index % len(choices)] for index in range(count)]
