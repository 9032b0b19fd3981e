"""The figures of a report as files: SVG and PNG."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.drawing import UndrawnError, draw, rasterize
from harness.report.figure import Figure
from harness.report.plots.chart import chart_of


def figure_files(figures: Sequence[Figure]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Returns the contents of files by name, and the reason by name of each file that could not be drawn. A figure with
    several views has one pair of files per view, numbered from the second on."""
    files: dict[str, bytes] = {}
    undrawn: dict[str, str] = {}
    for figure in figures:
        for place, view in enumerate(figure.views):
            name = figure.name if place == 0 else f"{figure.name}-{place + 1}"
            try:
                svg = draw(chart_of(view))
                files[f"{name}.svg"] = svg.encode()
                files[f"{name}.png"] = rasterize(svg)
            except UndrawnError as error:
                undrawn[f"{name}.png" if f"{name}.svg" in files else f"{name}.svg"] = str(error)
    return files, undrawn
