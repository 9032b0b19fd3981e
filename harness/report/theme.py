"""Colours, dashes and fonts of the figures: those of files, and how many the page has of each.

Series are distinguished by the colours of Okabe and Ito 2008, "Color Universal Design"
(jfly.uni-koeln.de/color), and also by dash or shape. Yellow is left out: it has no contrast on white.
"""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#ffffff"
ON_CELL = "#111111"
"""Text on heat map cells, whose colours are the same in the light and the dark scheme."""
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
CONTROL = "#8a939d"
"""The grey of random controls, the baseline of a comparison."""
LOW, MIDDLE, HIGH = "#56b4e9", "#f2f2f2", "#d55e00"
"""The ends and the middle of diverging heat maps. `ON_CELL` has a contrast of at least 4.5 on every colour between."""
DASHES = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3), (4, 4), (1, 3), (9, 2))
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
        "labelLimit": 180,
    },
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 13, "labelFontWeight": "bold", "labelLimit": 380},
    "title": {"color": INK, "fontSize": 13, "anchor": "start"},
    "text": {"color": INK, "fontSize": 12},
    "bar": {"color": SERIES[0]},
    "rule": {"color": MUTED},
    "rect": {"stroke": PAPER, "strokeWidth": 1},
}


def config() -> dict[str, Any]:
    """Returns the configuration of all charts."""
    return _CONFIG
