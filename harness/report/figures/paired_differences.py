"""How far each method is behind or ahead of the best one, seed by seed: a forest plot per column."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UsageError
from harness.report.captions import items, listed, unit, with_interval
from harness.report.figure import Absent, Figure
from harness.report.looks import first_rows, method_looks
from harness.report.plots.model import Line, Rows, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import MISSING, TextTable, decimals, header, interval, number
from harness.results.compare import PairedDifferences, compared
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard

MOST_LINES = 40
MOST_COLUMNS = 12
"""With more columns, only the average is drawn."""
AVERAGE = "average"


def paired_differences(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if fewer than two methods have a rank."""
    leaderboard = record.leaderboard
    name, title = "differences", "Paired differences"
    ranked = [row.method for row in leaderboard.rows if row.rank is not None]
    found = _found(leaderboard, ranked)
    if not found:
        return Absent(name=name, title=title, reason="Fewer than two methods have all of their scores.")
    best = ranked[0]
    columns = leaderboard.columns if len(leaderboard.columns) <= MOST_COLUMNS else ()
    views = [View(name=AVERAGE, panels=(_panel(leaderboard, found, None),))]
    views += [
        View(name=header(leaderboard, column), panels=(_panel(leaderboard, found, column),)) for column in columns
    ]
    _, left_out = first_rows([one.other for one in found], MOST_LINES)
    seeds = sorted({len(one.seeds) for one in found})
    tested = (
        "Intervals are Student's t over the differences; p is that of the paired t test with Holm's correction over "
        "all methods of a column."
        if max(seeds) > 1
        else "One seed: the intervals are over test items and do not include the variation between seeds, and no "
        "difference can be tested."
    )
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Each method minus {best}, which has the highest average, on the same seeds: left of 0 is behind it, if "
            f"higher is better. An interval that includes 0 shows no difference. {tested} "
            f"{items(leaderboard)}{left_out}"
        ),
        description=(
            f"Forest plot of differences to {best}. {listed([_text(leaderboard, one, None) for one in found], 6)}."
        ),
        views=tuple(views),
        choice="score",
        numbers=TextTable(
            title=f"Differences to {best}",
            subtitle="95 % intervals in brackets",
            columns=("Method", "Average", "p (Holm)", *(header(leaderboard, column) for column in leaderboard.columns)),
            rows=tuple(_cells(leaderboard, one) for one in found),
        ),
    )


def _found(leaderboard: Leaderboard, ranked: Sequence[str]) -> list[PairedDifferences]:
    """Returns the differences between the best method and each other ranked one that shares a seed with it."""
    shared = []
    best = leaderboard.row(ranked[0]) if ranked else None
    for name in ranked[1:]:
        if best is not None and set(best.seeds) & set(leaderboard.row(name).seeds):
            shared.append(name)
    try:
        return compared(leaderboard, ranked[0], shared) if shared else []
    except UsageError:
        return []


def flipped(one: Estimate | None) -> Estimate:
    """Returns the difference in the other direction."""
    if one is None or one.mean is None:
        return Estimate()
    ci95 = None if one.ci95 is None else (-one.ci95[1], -one.ci95[0])
    return one.model_copy(update={"mean": -one.mean, "ci95": ci95})


def _difference(one: PairedDifferences, column: str | None) -> Estimate:
    return flipped(one.average if column is None else one.scores.get(column))


def _text(leaderboard: Leaderboard, one: PairedDifferences, column: str | None) -> str:
    text = with_interval(_difference(one, column), decimals(leaderboard, column))
    p = one.average_holm_p_value if column is None else one.holm_p_values.get(column)
    return f"{one.other}: {text}" + (f", p = {p_text(p)}" if p is not None else "")


def p_text(value: float) -> str:
    """Returns a p-value as text."""
    return number(value, 3) if value >= 0.001 else "< 0.001"


def _panel(leaderboard: Leaderboard, found: Sequence[PairedDifferences], column: str | None) -> Rows:
    looks, digits = method_looks(leaderboard), decimals(leaderboard, column)
    lines = []
    for one in found[:MOST_LINES]:
        difference = _difference(one, column)
        low, high = difference.ci95 or (None, None)
        lines.append(
            Line(
                label=one.other,
                method=one.other,
                value=difference.mean,
                low=low,
                high=high,
                look=looks[one.other],
                text=interval(difference, digits),
                tip=_text(leaderboard, one, column),
            )
        )
    averaged = leaderboard.averaged if column is None else (column,)
    points = "percentage points" if unit(leaderboard, averaged) == "percent" else "points"
    axis = linear_axis(
        f"{column or AVERAGE} minus that of {found[0].method} ({points})",
        [value for line in lines for value in (line.low, line.value, line.high)],
        include=(0.0,),
    )
    return Rows(title="", axis=axis, lines=tuple(lines), zero=True)


def _cells(leaderboard: Leaderboard, one: PairedDifferences) -> tuple[str, ...]:
    p = one.average_holm_p_value
    return (
        one.other,
        interval(_difference(one, None), decimals(leaderboard)),
        MISSING if p is None else p_text(p),
        *(interval(_difference(one, column), decimals(leaderboard, column)) for column in leaderboard.columns),
    )
