"""Heat maps with the number of each cell written into it, for files."""

from __future__ import annotations

import altair as alt

from harness.report.drawing import data
from harness.report.figure import Row
from harness.report.plots.model import Matrix
from harness.report.theme import HIGH, LOW, MIDDLE, ON_CELL

LEAST_CELL = 40
"""The width in pixels of the narrowest cell that fits a number of five characters."""
MOST_CELL = 92
LABELS = 300
"""The maximum width of row names in pixels."""


def heat_map(matrix: Matrix, room: float) -> alt.LayerChart | alt.FacetChart:
    """Returns a matrix as a heat map, about `room` pixels wide."""
    rows: list[Row] = [
        {"row": line.label, "column": column, "value": cell.value, "text": cell.text, "tip": cell.tip}
        for line in matrix.lines
        for column, cell in zip(matrix.columns, line.cells, strict=True)
        if cell is not None
    ]
    longest = max(len(line.label) for line in matrix.lines)
    width = min((room - min(LABELS, 10 + 7 * longest)) / len(matrix.columns), MOST_CELL)
    ends = [HIGH, MIDDLE, LOW] if matrix.low_is_bad else [LOW, MIDDLE, HIGH]
    scale = alt.Scale(domain=[matrix.low, 0, matrix.high], range=ends, clamp=True)
    slanted = max(map(len, matrix.columns)) * 7 > width
    across = alt.Axis(labelAngle=-45 if slanted else 0, orient="bottom", grid=False, labelLimit=110)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("column:N", sort=list(matrix.columns), title=matrix.across or None, axis=across),
        y=alt.Y(
            "row:N",
            sort=[line.label for line in matrix.lines],
            title=matrix.down or None,
            axis=alt.Axis(labelLimit=LABELS, grid=False),
        ),
    )
    layers = [base.mark_rect().encode(color=alt.Color("value:Q", scale=scale, legend=None), description="tip:N")]
    if width >= LEAST_CELL:
        layers.append(base.mark_text(color=ON_CELL, fontSize=12).encode(text="text:N"))
    return alt.layer(*layers).properties(
        width=width * len(matrix.columns), height=(26 if len(matrix.lines) < 30 else 16) * len(matrix.lines),
        title=matrix.title,
    )  # fmt: skip
