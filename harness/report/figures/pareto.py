"""The average of each method against the completions that it sampled, with the front of the best at every cost."""

from __future__ import annotations

from collections.abc import Mapping

from harness.report.captions import listed, over_scored_seeds, unit, with_interval
from harness.report.figure import Absent, Figure
from harness.report.front import NAME, front_line, front_of
from harness.report.looks import method_looks
from harness.report.own_cost import is_start_of_a_recovery, recovery_completions
from harness.report.plots.model import Mark, Points, Series, View
from harness.report.plots.scales import count_axis, linear_axis, side_by_side
from harness.report.record import RunRecord
from harness.report.tables.layout import MISSING, TextTable, count_text, decimals, interval
from harness.results.leaderboard import Leaderboard, Row

RECOVERY, WHOLE = "of the recovery", "of the whole method"
ROOM = 0.05
"""Above the highest point, for its label, as a share of the range."""
HEADS = {RECOVERY: "Completions of the recovery", WHOLE: "Completions of the method"}


def pareto(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no method has an average and known costs."""
    leaderboard = record.leaderboard
    name, title = "pareto", "Average against completions"
    rows = [row for row in leaderboard.rows if not row.reference and row.average.mean is not None]
    costs = {kind: found for kind, found in _costs(leaderboard, rows).items() if found}
    if not costs:
        reason = "The completions of a method are known once all of its steps are done and scored."
        return Absent(name=name, title=title, reason=reason)
    first = next(iter(costs))
    front = [_tip(leaderboard, row, costs[first][row.method], first) for row in _front(rows, costs[first])]
    return Figure(
        name=name,
        title=title,
        caption=_caption(leaderboard, rows, costs),
        description=f"One point per method. On the front by completions {first}: {listed(front)}.",
        views=tuple(View(name=kind, panels=(_panel(leaderboard, rows, own, kind),)) for kind, own in costs.items()),
        choice="completions",
        numbers=_numbers(title, leaderboard, rows, costs),
    )


def _caption(leaderboard: Leaderboard, rows: list[Row], costs: Mapping[str, Mapping[str, float]]) -> str:
    unknown = [row.method for row in rows if not any(row.method in known for known in costs.values())]
    steps = "after its last training, or in all of its steps" if RECOVERY in costs else "in all of its steps"
    return (
        f"Horizontal: the completions that a method sampled {steps}, mean over seeds; methods of the same cost are "
        "drawn side by side. A logarithmic axis is linear near 0. Vertical: the average of the domains. Diamonds and "
        "the line: the front, methods with a higher mean than all others of the same or a lower cost; which "
        f"differences are significant is in the paired differences. {over_scored_seeds(leaderboard)}"
        + (" The first view has the methods with a recovery, and those that one starts from." * (RECOVERY in costs))
        + (f" Completions not known: {listed(unknown)}." if unknown else "")
    )


def _numbers(
    title: str, leaderboard: Leaderboard, rows: list[Row], costs: Mapping[str, Mapping[str, float]]
) -> TextTable:
    fronts = {kind: _front(rows, known) for kind, known in costs.items()}
    lines = []
    for row in rows:
        cells = [row.method, interval(row.average, decimals(leaderboard))]
        for kind, known in costs.items():
            on_front = "yes" if row in fronts[kind] else "no"
            cells += [count_text(known.get(row.method)), on_front if row.method in known else MISSING]
        lines.append(tuple(cells))
    return TextTable(
        title=title,
        subtitle="95 % intervals of the average in brackets",
        columns=("Method", "Average", *(head for kind in costs for head in (HEADS[kind], f"On the {NAME}"))),
        rows=tuple(lines),
    )


def _costs(leaderboard: Leaderboard, rows: list[Row]) -> dict[str, dict[str, float]]:
    """Returns the completions by kind and method; none of recoveries if there are no recoveries with a known cost."""
    own: dict[str, float] = {}
    for row in rows:
        spent = recovery_completions(row)
        if spent is not None and (row.trajectory[-1].recovered or is_start_of_a_recovery(leaderboard, row)):
            own[row.method] = spent
    recovers = any(row.method in own and row.trajectory[-1].recovered for row in rows)
    whole = {row.method: row.cost.completions for row in rows if row.cost is not None}
    return {RECOVERY: own if recovers else {}, WHOLE: whole}


def _front(rows: list[Row], known: Mapping[str, float]) -> list[Row]:
    drawn = [row for row in rows if row.method in known]
    return [drawn[k] for k in front_of([(known[row.method], row.average.mean or 0.0) for row in drawn])]


def _tip(leaderboard: Leaderboard, row: Row, completions: float, kind: str) -> str:
    average = with_interval(row.average, decimals(leaderboard))
    return f"{row.method}: {average}; {count_text(completions)} completions {kind}"


def _panel(leaderboard: Leaderboard, rows: list[Row], known: Mapping[str, float], kind: str) -> Points:
    looks, front = method_looks(leaderboard), [row.method for row in _front(rows, known)]
    across = count_axis(f"sampled completions {kind}", known.values())
    beside = dict(zip(known, side_by_side(across, list(known.values())), strict=True))
    marks = {}
    for row in (row for row in rows if row.method in known):
        assert row.average.mean is not None
        low, high = row.average.ci95 or (None, None)
        marks[row.method] = Mark(
            x=beside[row.method],
            y=row.average.mean,
            low=low,
            high=high,
            tip=_tip(leaderboard, row, known[row.method], kind),
            shape="diamond" if row.method in front else "circle",
            label=row.method if row.method in front else "",
        )
    series = [
        Series(name=name, method=name, look=looks[name], marks=(mark,), line=False) for name, mark in marks.items()
    ]
    points = "percent" if unit(leaderboard, leaderboard.averaged) == "percent" else "points"
    ends = [end for one in marks.values() for end in (one.low, one.y, one.high) if end is not None]
    return Points(
        title="",
        x=across,
        y=linear_axis(f"average ({points})", [*ends, max(ends) + ROOM * (max(ends) - min(ends))]),
        series=(front_line([marks[name] for name in front]), *series),
    )
