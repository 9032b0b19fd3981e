"""What each method cost."""

from __future__ import annotations

import altair as alt

from harness.leaderboard import MeanCost
from harness.report.captions import listed
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.theme import INK
from harness.tables.layout import MISSING, TextTable

MEASURES = {
    "optimizer_steps": "optimizer steps",
    "completions": "completions",
    "generated_tokens": "generated tokens",
    "train_seconds": "training seconds",
}


def cost(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent where no method is whole."""
    leaderboard = record.leaderboard
    costs = {row.method: row.cost for row in leaderboard.rows if not row.reference}
    known = {method: one for method, one in costs.items() if one is not None}
    name, title = "cost", "Cost"
    if not known:
        reason = "The cost of a method is known once all of its steps are done."
        return Absent(name=name, title=title, reason=reason)
    rows = [row for method, one in known.items() for row in _rows(method, one)]
    missing = [method for method, one in costs.items() if one is None]
    over = f"mean over {len(leaderboard.seeds)} seeds" if len(leaderboard.seeds) > 1 else "one seed"
    dearest = max(known.items(), key=lambda item: item[1].train_seconds)
    return Figure(
        name=name,
        title=title,
        caption=(
            f"What all steps of a method cost together, {over}; a step that methods share counts in each, though it "
            "was made once. Seconds are wall time of training on the machine in the provenance."
            + (f" Not known yet: {listed(missing)}." if missing else "")
        ),
        description=(
            f"Bars of optimizer steps, completions, generated tokens and training seconds for {listed(list(known))}. "
            f"The longest training: {dearest[0]}, {dearest[1].train_seconds:,.0f} seconds."
        ),
        chart=lambda layout: _chart(rows, layout),
        numbers=TextTable(
            title=title,
            subtitle="Mean over seeds",
            columns=("Method", *(text[0].upper() + text[1:] for text in MEASURES.values())),
            rows=tuple((method, *_cells(one)) for method, one in costs.items()),
        ),
    )


def _cells(one: MeanCost | None) -> list[str]:
    return [MISSING if one is None else _text(getattr(one, field), field) for field in MEASURES]


def _text(value: float, field: str) -> str:
    return f"{value:,.1f}" if field == "train_seconds" and value < 100 else f"{value:,.0f}"


def _rows(method: str, one: MeanCost) -> list[Row]:
    return [
        {
            "method": method,
            "measure": measure,
            "value": getattr(one, field),
            "text": _text(getattr(one, field), field),
            "tip": f"{method}: {_text(getattr(one, field), field)} {measure}",
        }
        for field, measure in MEASURES.items()
    ]


def _chart(rows: list[Row], layout: Layout) -> alt.TopLevelMixin:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    wide = layout == "wide"
    panels = []
    for index, measure in enumerate(MEASURES.values()):
        own = [row for row in rows if row["measure"] == measure]
        most = max(row["value"] for row in own) or 1.0
        first = not wide or index == 0
        axis = alt.Axis(labelLimit=160 if wide else 110) if first else alt.Axis(labels=False, ticks=False)
        base = alt.Chart(data(own)).encode(
            y=alt.Y("method:N", sort=methods, title=None, axis=axis),
            # Room behind the longest bar for its number.
            x=alt.X("value:Q", title=measure, scale=alt.Scale(domain=[0, 1.35 * most]), axis=alt.Axis(tickCount=3)),
        )
        bars = base.mark_bar().encode(description="tip:N")
        texts = base.mark_text(align="left", dx=3, color=INK).encode(text="text:N")
        panels.append(alt.layer(bars, texts).properties(width=215, height=24 * len(methods)))
    return alt.hconcat(*panels, spacing=12) if wide else alt.vconcat(*panels)
