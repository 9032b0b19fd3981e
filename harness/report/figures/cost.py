"""The cost of each method."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from harness.report.captions import listed
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.tables.layout import MISSING, TextTable
from harness.report.theme import INK
from harness.results.estimates import estimate
from harness.results.leaderboard import MeanCost
from harness.results.metrics import Score

MEASURES = {
    "optimizer_steps": "optimizer steps",
    "completions": "completions",
    "generated_tokens": "generated tokens",
    "train_seconds": "training seconds",
}


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
    rows = [row for method, one in known.items() for row in _rows(method, one, seed_costs[method])]
    missing = [method for method, one in costs.items() if one is None]
    several = len(leaderboard.seeds) > 1
    over = f"mean over {len(leaderboard.seeds)} seeds" if several else "one seed"
    spread = any(row["low"] is not None for row in rows)
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
        chart=lambda layout: _chart(rows, layout),
        numbers=TextTable(
            title=title,
            subtitle=("Mean over seeds" + (", 95 % intervals in brackets if they differ" if spread else ""))
            if several
            else over.capitalize(),
            columns=("Method", *(text[0].upper() + text[1:] for text in MEASURES.values())),
            rows=tuple(
                (method, *(_numbers(rows, method, measure) for measure in MEASURES.values())) for method in costs
            ),
        ),
    )


def _numbers(rows: list[Row], method: str, measure: str) -> str:
    return next((row["numbers"] for row in rows if (row["method"], row["measure"]) == (method, measure)), MISSING)


def _text(value: float, field: str) -> str:
    return f"{value:,.1f}" if field == "train_seconds" and value < 100 else f"{value:,.0f}"


def _rows(method: str, one: MeanCost, seeds: Sequence[MeanCost]) -> list[Row]:
    rows = []
    for field, measure in MEASURES.items():
        values = [float(getattr(seed, field)) for seed in seeds]
        ci95 = estimate([Score(value, None, 0) for value in values]).ci95
        text = _text(getattr(one, field), field)
        tip, numbers = text, text
        if ci95 is not None:
            low, high = (_text(max(end, 0.0), field) for end in ci95)
            tip, numbers = f"{text}, 95 % interval {low} to {high}", f"{text} [{low}, {high}]"
        rows.append(
            {
                "method": method,
                "measure": measure,
                "value": getattr(one, field),
                "low": None if ci95 is None else max(ci95[0], 0.0),
                "high": None if ci95 is None else ci95[1],
                "end": getattr(one, field) if ci95 is None else max(getattr(one, field), ci95[1]),
                "text": text,
                "numbers": numbers,
                "tip": f"{method}: {tip} {measure}",
            }
        )
    return rows


def _chart(rows: list[Row], layout: Layout) -> alt.TopLevelMixin:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    wide = layout == "wide"
    panels = []
    for index, measure in enumerate(MEASURES.values()):
        own = [row for row in rows if row["measure"] == measure]
        most = max(row["end"] for row in own) or 1.0
        first = not wide or index == 0
        axis = alt.Axis(labelLimit=160 if wide else 110) if first else alt.Axis(labels=False, ticks=False)
        base = alt.Chart(data(own)).encode(
            y=alt.Y("method:N", sort=methods, title=None, axis=axis),
            # Leaves room for the number of the longest bar.
            x=alt.X("value:Q", title=measure, scale=alt.Scale(domain=[0, 1.35 * most]), axis=alt.Axis(tickCount=3)),
        )
        bars = base.mark_bar().encode(description="tip:N")
        whiskers = base.mark_rule(strokeWidth=1.5, color=INK).encode(x="low:Q", x2="high:Q")
        texts = base.mark_text(align="left", dx=3, color=INK).encode(x="end:Q", text="text:N")
        panels.append(alt.layer(bars, whiskers, texts).properties(width=215, height=24 * len(methods)))
    return alt.hconcat(*panels, spacing=12) if wide else alt.vconcat(*panels)
