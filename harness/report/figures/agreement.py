"""How well each predictor of `harness predict` agrees with the observed damage, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from harness.prediction.agreement import Agreement
from harness.prediction.predictors import Known, described
from harness.report.captions import with_interval
from harness.report.figure import Absent, Figure
from harness.report.figures.prediction import NO_PREDICTION
from harness.report.front import front_line, front_of
from harness.report.plots.model import SHAPES, Line, Mark, Points, Rows, Rule, Series, View
from harness.report.plots.scales import linear_axis, side_by_side
from harness.report.record import RunRecord
from harness.report.tables.agreement import TITLE, agreement_table, compared_pairs, correlation, cost_text
from harness.report.tables.layout import interval

SPEARMAN = "Spearman's rank correlation with the observed damage"


def agreement(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if the run has no prediction, or one that was not compared with a run."""
    name, kept = "agreement", record.prediction
    if kept is None or not kept.agreed:
        reason = "The prediction was not compared with a run. `harness predict PROTOCOL --check RUN` does so."
        return Absent(name=name, title=TITLE, reason=NO_PREDICTION if kept is None else reason)
    priced = [one for one in kept.agreed if one.spearman is not None and one.cost is not None]
    unpriced = [one.predictor for one in kept.agreed if one not in priced]
    views = [View(name="one by one", panels=(_rows(kept.agreed),))]
    if priced:
        views.append(View(name="by cost", panels=(_by_cost(priced),)))
    return Figure(
        name=name,
        title=TITLE,
        caption=(
            f"{SPEARMAN}, with 95 % bootstrap intervals over seeds and over pairs: {compared_pairs(kept)}. Colours: "
            f"known before, during or after the training.{_about_costs(priced, unpriced) if priced else ''}"
        ),
        description=f"{SPEARMAN}. {' '.join(f'{_tip(one)}.' for one in kept.agreed)}",
        views=tuple(views),
        choice="predictors",
        numbers=agreement_table(kept),
        open=True,
    )


def _about_costs(priced: Sequence[Agreement], unpriced: Sequence[str]) -> str:
    front = "; ".join(one.predictor for one in _front(priced))
    without = f" Without a cost or a correlation: {'; '.join(unpriced)}." if unpriced else ""
    return (
        " By cost: completions, in percent of those of the training; predictors of the same cost are drawn side by "
        "side. The line joins those with a higher correlation than all others of the same or a lower cost: "
        f"{front}.{without}"
    )


def _front(priced: Sequence[Agreement]) -> list[Agreement]:
    return [priced[place] for place in front_of([(one.cost or 0.0, one.spearman or 0.0) for one in priced])]


def _look(one: Agreement) -> int | None:
    """Returns the colour of when a predictor is known; grey if the record has another word for it."""
    words = get_args(Known)
    return words.index(one.known) if one.known in words else None


def _tip(one: Agreement) -> str:
    cost = "" if one.cost is None else f"; {cost_text(one)} % of the training's completions"
    return f"{described(one.predictor)}: {with_interval(correlation(one), 2)}{cost}"


def _ends(one: Agreement) -> tuple[float | None, float | None]:
    return one.ci95 or (None, None)


def _rows(agreed: Sequence[Agreement]) -> Rows:
    lines = [
        Line(
            label=described(one.predictor),
            value=one.spearman,
            low=_ends(one)[0],
            high=_ends(one)[1],
            look=_look(one),
            text=interval(correlation(one), 2),
            tip=_tip(one),
        )
        for one in agreed
    ]
    axis = linear_axis(
        SPEARMAN, [end for line in lines for end in (line.low, line.value, line.high)], include=(0.0,), count=8
    )
    return Rows(title="", axis=axis, lines=tuple(lines), zero=True)


def _by_cost(priced: Sequence[Agreement]) -> Points:
    costs = [100.0 * (one.cost or 0.0) for one in priced]
    across = linear_axis("completions, in percent of those of the training", costs, include=(0.0,), count=8)
    marks = {
        one.predictor: Mark(
            x=x,
            y=one.spearman or 0.0,
            low=_ends(one)[0],
            high=_ends(one)[1],
            tip=_tip(one),
            shape=SHAPES[_look(one) or 0],
        )
        for one, x in zip(priced, side_by_side(across, costs), strict=True)
    }
    series = [
        Series(
            name=f"known {known} the training",
            look=_look(of),
            marks=tuple(marks[one.predictor] for one in priced if one.known == known),
            line=False,
        )
        for known, of in {one.known: one for one in priced}.items()
    ]
    ends = [end for mark in marks.values() for end in (mark.low, mark.y, mark.high) if end is not None]
    return Points(
        title="",
        x=across,
        y=linear_axis("correlation", ends, include=(0.0,), count=8),
        series=(front_line([marks[one.predictor] for one in _front(priced)]), *series),
        rules=(Rule(at=0.0, along="y"),),
    )
