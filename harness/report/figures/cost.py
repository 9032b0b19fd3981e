"""The cost of each method."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.captions import listed
from harness.report.figure import Absent, Figure
from harness.report.looks import method_looks
from harness.report.plots.model import Line, Rows, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import MISSING, TextTable
from harness.results.estimates import estimate
from harness.results.leaderboard import MeanCost
from harness.results.metrics import Score

MEASURES = {
    "optimizer_steps": "optimizer steps",
    "completions": "completions",
    "generated_tokens": "generated tokens",
    "train_seconds": "training seconds",
}

MOST_LINES = 40
"""The dearest methods are not the first ones; the table has all."""


def cost(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no method is complete."""
    leaderboard = record.leaderboard
    costs = {row.method: row.cost for row in leaderboard.rows if not row.reference}
    seed_costs = {row.method: row.seed_costs for row in leaderboard.rows}
    known = {method: one for method, one in costs.items() if one is not None}
    name, title = "cost", "Cost"
    if not known:
        reason = "The cost of a method is known once all of its steps are done."
        return Absent(name=name, title=title, reason=reason)
    looks = method_looks(leaderboard)
    lines = {
        field: {method: _line(method, one, seed_costs[method], field, looks[method]) for method, one in known.items()}
        for field in MEASURES
    }
    missing = [method for method, one in costs.items() if one is None]
    several = len(leaderboard.seeds) > 1
    over = f"mean over {len(leaderboard.seeds)} seeds" if several else "one seed"
    spread = any(line.low is not None for by_method in lines.values() for line in by_method.values())
    dearest = max(known.items(), key=lambda item: item[1].train_seconds)
    return Figure(
        name=name,
        title=title,
        caption=(
            f"Total cost of all steps of a method, {over}. A step that several methods share is computed once but "
            "counts for each of them. Seconds are the wall time of training on the machine listed under provenance."
            + (" Lines: 95 % intervals over seeds by Student's t, if the seeds differ." if spread else "")
            + (f" Not known yet: {listed(missing)}." if missing else "")
        ),
        description=(
            f"Bars of optimizer steps, completions, generated tokens and training seconds for {listed(list(known))}. "
            f"The longest training: {dearest[0]}, {dearest[1].train_seconds:,.0f} seconds."
        ),
        views=(
            View(name="", panels=tuple(_panel(text, tuple(lines[field].values())) for field, text in MEASURES.items())),
        ),
        numbers=TextTable(
            title=title,
            subtitle=("Mean over seeds" + (", 95 % intervals in brackets if they differ" if spread else ""))
            if several
            else over.capitalize(),
            columns=("Method", *(text[0].upper() + text[1:] for text in MEASURES.values())),
            rows=tuple(
                (method, *(lines[field][method].text if method in known else MISSING for field in MEASURES))
                for method in costs
            ),
        ),
    )


def _text(value: float, field: str) -> str:
    return f"{value:,.1f}" if field == "train_seconds" and value < 100 else f"{value:,.0f}"


def _line(method: str, one: MeanCost, seeds: Sequence[MeanCost], field: str, look: int | None) -> Line:
    ci95 = estimate([Score(float(getattr(seed, field)), None, 0) for seed in seeds]).ci95
    text = _text(getattr(one, field), field)
    tip, low, high = text, None, None
    if ci95 is not None:
        low, high = max(ci95[0], 0.0), ci95[1]
        tip = f"{text}, 95 % interval {_text(low, field)} to {_text(high, field)}"
        text = f"{text} [{_text(low, field)}, {_text(high, field)}]"
    return Line(
        label=method,
        method=method,
        value=float(getattr(one, field)),
        low=low,
        high=high,
        look=look,
        text=text,
        tip=f"{method}: {tip} {MEASURES[field]}",
    )


def _panel(title: str, lines: tuple[Line, ...]) -> Rows:
    ends = [value for line in lines for value in (line.value, line.high)]
    axis = linear_axis("", ends, include=(0.0,), flush=True)
    return Rows(title=title, axis=axis, lines=lines[:MOST_LINES], bars=True)
