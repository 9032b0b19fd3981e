"""The training curves of a method, as its page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import markupsafe

from harness.report.figure import Figure
from harness.report.figures.training_curves import training_curves
from harness.report.plots.markup import view_markup
from harness.report.record import RunRecord
from harness.report.site.records import KeptRecord
from harness.results.leaderboard import Row


@dataclass(frozen=True, kw_only=True)
class MethodCurves:
    """The curves of a method in one record. drawing: as HTML."""

    place: str
    figure: Figure
    drawing: markupsafe.Markup


def curves_of(records: Sequence[KeptRecord], row: Row) -> list[MethodCurves]:
    """Returns the curves of a method's trainings, for each record that has them."""
    found = []
    for record in records:
        own = RunRecord(
            leaderboard=record.leaderboard.model_copy(update={"rows": (row,)}),
            protocol="",
            provenance={},
            curves=tuple(one for one in record.curves if row.method in one.methods),
        )
        figure = training_curves(own)
        if isinstance(figure, Figure):
            drawing = view_markup(figure.views[0], {})
            found.append(MethodCurves(place=record.place, figure=figure, drawing=drawing))
    return found
