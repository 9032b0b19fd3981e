"""Heat maps with the number of each cell written into it."""

from __future__ import annotations

import altair as alt

from harness.report.drawing import data
from harness.report.figure import Layout, Row
from harness.report.theme import HIGH, LOW, MIDDLE, ON_CELL

LEAST_CELL = 40
"""The width in pixels of the narrowest cell that fits a number of five characters."""
LABELS = {"wide": 300, "narrow": 150}
"""The maximum width of row names in pixels, smaller on phones, where the numbers need the space."""
LEAST_LABELS = 100
ROOM = {"wide": 1040, "narrow": 345}


def heat_map(
    rows: list[Row],
    layout: Layout,
    *,
    across: str,
    down: str,
    title: str,
    domain: tuple[float, float],
    low_is_bad: bool = False,
    panels: list[str] | None = None,
) -> alt.TopLevelMixin:
    """Returns a heat map of the field `value` by `column` and `row`, which are ordered by first appearance.

    Rows also have `text`, which is written into the cell, and `tip`. across, down: titles of the axes. title: title of
    the colour legend. domain: the values at the ends of the colour scale. low_is_bad: on a scale around zero, negative
    values have the colour of harm; otherwise positive values have it. panels: values of the field `panel`, one heat map
    each.
    """
    columns, lines = (list(dict.fromkeys(row[field] for row in rows)) for field in ("column", "row"))
    beside = 1 if layout == "narrow" or not panels else min(len(panels), 3)
    longest = max(len(str(line)) for line in lines)
    spare = ROOM[layout] - LEAST_CELL * len(columns) * beside - 10
    labels = max(LEAST_LABELS, min(LABELS[layout], 10 + 7 * longest, spare))
    width = min((ROOM[layout] - labels) / beside / len(columns), 92)
    low, high = domain
    diverging = low < 0 < high
    ends = [HIGH, MIDDLE, LOW] if low_is_bad else [LOW, MIDDLE, HIGH]
    colour = alt.Color(
        "value:Q",
        title=title,
        scale=alt.Scale(
            domain=[low, 0, high] if diverging else [low, high],
            range=(ends if diverging else [MIDDLE, HIGH]),
            clamp=True,
        ),
        legend=alt.Legend(gradientLength=200, titleLimit=320, tickCount=5),
    )
    slanted = max(len(str(column)) for column in columns) * 7 > width
    x = alt.X(
        "column:N",
        sort=columns,
        title=across,
        axis=alt.Axis(labelAngle=-45 if slanted else 0, orient="bottom", grid=False, labelLimit=110),
    )
    y = alt.Y("row:N", sort=lines, title=down, axis=alt.Axis(labelLimit=labels, grid=False))
    base = alt.Chart().encode(x=x, y=y)
    cells = base.mark_rect().encode(color=colour, description="tip:N")
    layers = [cells]
    if width >= LEAST_CELL:
        layers.append(base.mark_text(color=ON_CELL, fontSize=12).encode(text="text:N"))
    layered = alt.layer(*layers).properties(
        width=width * len(columns), height=(26 if len(lines) < 30 else 16) * len(lines)
    )
    if not panels:
        return layered.properties(data=data(rows))
    return layered.facet(facet=alt.Facet("panel:N", sort=panels, title=None), columns=beside, data=data(rows))


def symmetric(values: list[float], least: float = 1.0) -> tuple[float, float]:
    """Returns the ends of a scale centred on zero that contains all `values` and is at least ±`least` wide."""
    far = max([least, *(abs(value) for value in values)])
    return -far, far
