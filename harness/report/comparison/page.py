"""The comparison of two runs as one self-contained HTML page without a script."""

from __future__ import annotations

from importlib.resources import files

from harness._util.version import VERSION
from harness.report.comparison.figure import after_steps, final_scores
from harness.report.comparison.tables import final_table, items_table, settings_table, steps_table
from harness.report.page import text_columns, unbroken_range
from harness.report.plots.markup import plot_environment, resource, view_markup
from harness.report.plots.model import View
from harness.results.run_comparison import RunComparison


def comparison_page(found: RunComparison) -> str:
    """Returns the page. The same comparison gives the same bytes."""
    environment = plot_environment()
    environment.filters |= {"texts": text_columns, "range": unbroken_range}
    values = {
        "found": found,
        "methods": {},
        "style": "".join([_resource("theme.css"), resource("plots.css"), _resource("comparison/comparison.css")]),
        "plots": {name: view_markup(view, {}) for name, view in _views(found).items() if view.panels},
        "settings": settings_table(found),
        "final": final_table(found),
        "steps": steps_table(found),
        "items": items_table(found),
        "version": VERSION,
    }
    return environment.from_string(_resource("comparison/comparison.html")).render(values) + "\n"


def _views(found: RunComparison) -> dict[str, View]:
    return {"final": final_scores(found), "steps": after_steps(found)}


def _resource(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")
