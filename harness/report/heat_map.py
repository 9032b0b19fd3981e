"""Heat maps: a cell for each row and column, its number written into it."""

from __future__ import annotations

import altair as alt

from harness.report.drawing import data
from harness.report.figure import Layout, Row
from harness.report.theme import HIGH, LOW, MIDDLE, ON_CELL

LEAST_CELL = 40
"""The narrowest cell, in pixels, that a number of five characters fits into."""
LABELS = {"wide": 300, "narrow": 150}
"""The most pixels that the rows' names take; on a telephone less, where the numbers need the room."""
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
    """Returns cells of `value` by the fields `column` and `row`, whose order is that of their first appearance.

    Rows carry also `text`, what is written into the cell, and `tip`. across, down: the axes' titles. title: that of the
    colours. domain: the values at both ends of the colours; with zero between them, low_is_bad gives the negative ones
    the colour of harm, which is else the positive ones'. panels: values of the field `panel`, a heat map each.
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
    made = alt.layer(*layers).properties(
        width=width * len(columns), height=(26 if len(lines) < 30 else 16) * len(lines)
    )
    if not panels:
        return made.properties(data=data(rows))
    return made.facet(facet=alt.Facet("panel:N", sort=panels, title=None), columns=beside, data=data(rows))


def symmetric(values: list[float], least: float = 1.0) -> tuple[float, float]:
    """Returns the ends of a scale with zero in its middle that holds all `values`, and is no narrower than ±`least`."""
    far = max([least, *(abs(value) for value in values)])
    return -far, far
