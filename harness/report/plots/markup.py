"""Plots as parts of a page. The browser lays out all texts, so they fit in any font and at any width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any

import jinja2
import markupsafe

from harness.report.figure import Figure
from harness.report.plots.model import NEAR_AN_END, Axis, Matrix, Points, Rows, Series, View, legend_of
from harness.report.plots.printable import printable
from harness.report.theme import DASHES, SERIES

MOST_KEYS = 30
"""A longer legend is left out: the page's list of methods has the colours too."""


def resource(name: str) -> str:
    """Returns the text of a file of this package, such as `plots.css`."""
    return files("harness.report.plots").joinpath(name).read_text(encoding="utf-8")


def look_class(look: int | None) -> str:
    """Returns the classes of colour and dash of a series."""
    if look is None:
        return "grey"
    return f"c{look % len(SERIES)} d{(look + look // len(SERIES)) % len(DASHES)}"


def percent(value: float) -> str:
    """Returns a share in percent without needless digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def along(axis: Axis, value: float) -> str:
    """Returns a position from the left of a panel."""
    return percent(axis.place(value)) + "%"


def down(axis: Axis, value: float) -> str:
    """Returns a position from the top of a panel."""
    return percent(100.0 - axis.place(value)) + "%"


def bar(axis: Axis, value: float) -> tuple[str, str]:
    """Returns the position and the width of a bar from 0 to the value."""
    ends = sorted((axis.place(0.0), axis.place(value)))
    return percent(ends[0]) + "%", percent(ends[1] - ends[0]) + "%"


def anchor(axis: Axis, value: float) -> str:
    """Returns which part of a text above a mark is at the mark, so that it stays within the panel."""
    place = axis.place(value)
    return "start" if place < NEAR_AN_END else "end" if place > 100.0 - NEAR_AN_END else "middle"


def path(panel: Points, series: Series) -> str:
    """Returns the points of a line, in percent of the panel."""
    return _points(panel, ((mark.x, mark.y) for mark in series.marks))


def area(panel: Points, series: Series) -> str:
    """Returns the corners of the area between the intervals of a series."""
    upper = [(mark.x, mark.y if mark.high is None else mark.high) for mark in series.marks]
    lower = [(mark.x, mark.y if mark.low is None else mark.low) for mark in reversed(series.marks)]
    return _points(panel, [*upper, *lower])


def _points(panel: Points, places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{percent(panel.x.place(x))},{percent(100 - panel.y.place(y))}" for x, y in places)


def kind_of(panel: object) -> str:
    """Returns the macro that shows a panel."""
    return {Points: "points", Rows: "rows", Matrix: "matrix"}[type(panel)]


def finalized(value: object) -> object:
    """Returns a value of a template without characters that HTML cannot contain."""
    return value if isinstance(value, markupsafe.Markup) else printable(value)


def page_environment(load: Callable[[str], str], finalize: Callable[[Any], object]) -> jinja2.Environment:
    """Returns an environment of templates, which escapes every value and refuses names that it does not know.

    load: returns a template by its name, besides `document.html`, the frame of every page. finalize: is called with
    every value before it is escaped.
    """
    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.ChoiceLoader(
            [jinja2.DictLoader({"document.html": resource("document.html")}), jinja2.FunctionLoader(load)]
        ),
    )


def plot_environment() -> jinja2.Environment:
    """Returns the environment of pages with plots."""
    environment = page_environment(resource, finalized)
    environment.filters |= {"look": look_class}
    environment.globals |= {
        "along": along,
        "bar": bar,
        "down": down,
        "path": path,
        "anchor": anchor,
        "area": area,
        "kind_of": kind_of,
    }
    return environment


def view_markup(view: View, methods: Mapping[str, int]) -> markupsafe.Markup:
    """Returns a view as HTML. methods: the number of each method, by which the page highlights and hides it."""
    legend = [one for one in legend_of(view.panels) if one.name]
    values = {"panels": view.panels, "legend": legend if len(legend) <= MOST_KEYS else [], "methods": methods}
    return markupsafe.Markup(_TEMPLATE.render(values))


def figure_markup(figure: Figure, methods: Mapping[str, int]) -> markupsafe.Markup:
    """Returns the views of a figure as HTML, with the choice between them. methods: as in `view_markup`."""
    views = [(view.name, view_markup(view, methods)) for view in figure.views]
    return markupsafe.Markup(_DRAWING.render({"figure": figure, "views": views}))


MARKS = markupsafe.Markup(resource("marks.html"))
"""The symbols of points, which a page with plots has once."""
_DRAWING = plot_environment().get_template("drawing.html")
_TEMPLATE = plot_environment().get_template("plots.html")
