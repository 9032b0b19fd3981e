"""The share of the damage that each recovery undid and its cost to other domains, next to its random control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from harness.report.captions import listed, over_scored_seeds, with_interval
from harness.report.drawing import data
from harness.report.figure import Absent, Figure, Layout, Row
from harness.report.record import RunRecord
from harness.report.tables.layout import decimals, number, recovery_table
from harness.report.theme import CONTROL, INK, MUTED, SERIES
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, RecoveryResult

RANDOM = "random"
"""The setting value of a control. It controls a recovery that differs only in this setting."""
RATIO, COLLATERAL = "share of the damage undone", "collateral (points)"
RECOVERY, RANDOM_CONTROL = "recovery", "random control"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A recovery and its control, each with the name of its method."""

    method: str
    result: RecoveryResult
    control: tuple[str, RecoveryResult] | None


def paired(leaderboard: Leaderboard) -> list[Pair]:
    """Returns every recovery with its random control. A control of no recovery is listed on its own."""
    found = [(row.method, one) for row in leaderboard.rows for one in row.recoveries]
    pairs = [
        Pair(
            method=method,
            result=one,
            control=next(((name, other) for name, other in found if _is_control(other, one)), None),
        )
        for method, one in found
    ]
    taken = [pair.control[1] for pair in pairs if pair.control is not None]
    return [pair for pair in pairs if not any(pair.result is one for one in taken)]


def _is_control(other: RecoveryResult, one: RecoveryResult) -> bool:
    same = (other.plugin, other.target, other.step) == (one.plugin, one.target, one.step)
    return same and _only_drawn(other.config, one.config)


def _only_drawn(control: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    differing = [key for key in {*control, *config} if control.get(key) != config.get(key)]
    return len(differing) == 1 and control.get(differing[0]) == RANDOM


def recoveries(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no method recovers a domain, or no recovery has scores before and after it."""
    leaderboard = record.leaderboard
    name, title = "recoveries", "Recoveries"
    pairs = paired(leaderboard)
    rows = _rows(leaderboard, pairs)
    if not rows:
        reason = (
            "No recovery has scores before and after it yet."
            if pairs
            else "No method of this protocol recovers a domain. A step `{recover: DOMAIN, with: RECOVERY}` does."
        )
        return Absent(name=name, title=title, reason=reason)
    alone = [pair.method for pair in pairs if pair.control is None]
    remarks = dict.fromkeys(f"{pair.method}: {pair.result.remark}" for pair in pairs if pair.result.remark)
    return Figure(
        name=name,
        title=title,
        caption=(
            "Left (or top): (recovered − damaged) / (peak − damaged), where 0 is no recovery and 1 a full recovery. "
            "Right (or bottom): mean loss of the other domains in points, lower is better. Grey: the same recovery "
            f"with a random selection. {over_scored_seeds(leaderboard)}"
            + (f" Without a random control: {listed(alone)}." if alone else "")
            + (" The share's interval is Fieller's." if any(row["low"] is not None for row in rows) else "")
            + (f" No bar: the share is not bounded or undefined. {listed(list(remarks))}." if remarks else "")
        ),
        description="Bars. " + " ".join(f"{row['tip']}." for row in rows if row["measure"] == RATIO),
        chart=lambda layout: _chart(rows, layout),
        numbers=recovery_table(leaderboard),
    )


def _rows(leaderboard: Leaderboard, pairs: Sequence[Pair]) -> list[Row]:
    rows: list[Row] = []
    for pair in pairs:
        line = f"{pair.method}: {pair.result.target}"
        shown = [(RECOVERY, pair.method, pair.result)]
        if pair.control is not None:
            shown.append((RANDOM_CONTROL, *pair.control))
        for role, method, one in shown:
            if one.recovered.mean is None or one.damaged.mean is None:
                continue
            for measure, estimate, digits in (
                (RATIO, one.ratio, 2),
                (COLLATERAL, one.collateral, decimals(leaderboard)),
            ):
                rows.append(_bar(line, role, method, measure=measure, estimate=estimate, digits=digits))
    return rows


def _bar(line: str, role: str, method: str, *, measure: str, estimate: Estimate, digits: int) -> Row:
    low, high = estimate.ci95 or (None, None)
    unbounded = estimate.interval == "unbounded"
    return {
        "line": line,
        "role": role,
        "measure": measure,
        # The share of a damage that is not significant can have any size, so its bar could dwarf the others.
        "value": None if unbounded else estimate.mean,
        "low": low,
        "high": high,
        "text": "not bounded" if unbounded else "undefined" if estimate.mean is None else number(estimate.mean, digits),
        "tip": f"{method} ({role}), {measure}: {with_interval(estimate, digits)}",
    }


def _chart(rows: list[Row], layout: Layout) -> alt.TopLevelMixin:
    lines = list(dict.fromkeys(row["line"] for row in rows))
    panels = [
        _panel([row for row in rows if row["measure"] == measure], measure, lines, layout, first=first)
        for measure, first in ((RATIO, True), (COLLATERAL, layout == "narrow"))
    ]
    return alt.hconcat(*panels) if layout == "wide" else alt.vconcat(*panels)


def _panel(
    rows: list[Row], measure: str, lines: list[str], layout: Layout, *, first: bool
) -> alt.LayerChart | alt.FacetChart:
    roles = [role for role in (RECOVERY, RANDOM_CONTROL) if any(row["role"] == role for row in rows)]
    labels = alt.Axis(labelLimit=220 if layout == "wide" else 110) if first else alt.Axis(labels=False, ticks=False)
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("line:N", sort=lines, title=None, axis=labels),
        yOffset=alt.YOffset("role:N", sort=roles, scale=alt.Scale(domain=roles, paddingInner=0.15)),
    )
    bars = base.mark_bar().encode(
        x=alt.X("value:Q", title=measure, axis=alt.Axis(tickCount=6)),
        color=alt.Color(
            "role:N", title=None, scale=alt.Scale(domain=[RECOVERY, RANDOM_CONTROL], range=[SERIES[0], CONTROL])
        ),
        description="tip:N",
    )
    whiskers = base.mark_rule(strokeWidth=1.5, color=SERIES[-1]).encode(x="low:Q", x2="high:Q")
    layers: list[alt.Chart | alt.LayerChart] = [bars, whiskers]
    if measure == RATIO:
        full = alt.Chart(data([{"one": 1.0}])).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="one:Q")
        layers.insert(0, full)
        layers.append(
            base.transform_filter("datum.value === null")
            .mark_text(align="left", dx=4, color=INK)
            .encode(x=alt.datum(0.0), text="text:N")
        )
    width = 350 if layout == "wide" else 210
    return alt.layer(*layers).properties(width=width, height=max(70, 24 * len(lines) * len(roles)))
