"""The trajectory of a method as small drawings, one per column, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.report.captions import with_interval
from harness.report.tables.layout import MISSING, TextTable, decimals, header, interval, number
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row, TrajectoryStep
from harness.results.metrics import targets_of

WIDTH, HEIGHT, MARGIN = 240.0, 90.0, 6.0
"""The size of a drawing in its own units, and the room around its marks."""
Kind = Literal["trained", "recovered", "other"]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A checkpoint in a drawing. kind: what the step before it did to this column. tip: the text of its tooltip."""

    x: str
    y: str
    kind: Kind
    tip: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The drawing of one column. line, band: points of SVG shapes; band: the intervals, empty without any. low, high:
    the ends of its scale as text. description: alternative text."""

    title: str
    line: str
    band: str
    marks: tuple[Mark, ...]
    low: str
    high: str
    description: str


def panels(leaderboard: Leaderboard, row: Row) -> list[Panel]:
    """Returns a drawing per column and one of the average. Columns that were scored fewer than twice are left out."""
    found = [
        _panel(
            header(leaderboard, column),
            [(step, step.scores.get(column)) for step in row.trajectory],
            decimals(leaderboard, column),
            column,
        )
        for column in leaderboard.columns
    ]
    averages = [(step, step.average) for step in row.trajectory]
    found.append(_panel("Average", averages, decimals(leaderboard), None))
    return [panel for panel in found if panel is not None]


def _panel(
    title: str, points: Sequence[tuple[TrajectoryStep, Estimate | None]], digits: int, column: str | None
) -> Panel | None:
    known = [(step, one, one.mean) for step, one in points if one is not None and one.mean is not None]
    if len(known) < 2:
        return None
    ends = [one.ci95 or (mean, mean) for _, one, mean in known]
    low, high = min(pair[0] for pair in ends), max(pair[1] for pair in ends)
    last = max(step.step for step, _ in points) or 1

    def x(step: TrajectoryStep) -> str:
        return f"{MARGIN + (WIDTH - 2 * MARGIN) * step.step / last:.1f}"

    def y(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share:.1f}"

    upper = [f"{x(step)},{y(pair[1])}" for (step, _, _), pair in zip(known, ends, strict=True)]
    lower = [f"{x(step)},{y(pair[0])}" for (step, _, _), pair in zip(known, ends, strict=True)]
    texts = [f"{step.label}: {with_interval(one, digits)}" for step, one, _ in known]
    return Panel(
        title=title,
        line=" ".join(f"{x(step)},{y(mean)}" for step, _, mean in known),
        band=" ".join([*upper, *reversed(lower)]) if any(one.ci95 for _, one, _ in known) else "",
        marks=tuple(
            Mark(x=x(step), y=y(mean), kind=_kind(step, column), tip=text)
            for (step, _, mean), text in zip(known, texts, strict=True)
        ),
        low=number(low, digits),
        high=number(high, digits),
        description=f"{title} after each step. {'; '.join(texts)}.",
    )


def _kind(step: TrajectoryStep, column: str | None) -> Kind:
    if column is None:
        return "other"
    return "trained" if column in step.trained else "recovered" if column in targets_of(step.recovered) else "other"


def trajectory_table(leaderboard: Leaderboard, row: Row) -> TextTable:
    """Returns one line per checkpoint of a method: its scores and the average, with intervals."""
    rows = []
    for step in row.trajectory:
        scores = [interval(step.scores.get(column), decimals(leaderboard, column)) for column in leaderboard.columns]
        rows.append((str(step.step), step.label, *scores, interval(step.average, decimals(leaderboard))))
    heads = [header(leaderboard, column) for column in leaderboard.columns]
    return TextTable(
        title="After each step", subtitle="", columns=("Step", "Label", *heads, "Average"), rows=tuple(rows)
    )


def lineage_table(row: Row) -> TextTable:
    """Returns one line per checkpoint of a method: what made it, and the keys of its results by seed."""
    rows = []
    for step in row.trajectory:
        trained, recovered = (", ".join(names) or MISSING for names in (step.trained, targets_of(step.recovered)))
        keys = [key[:12] for key in step.checkpoints]
        if len(keys) > 1:
            keys = [f"{seed}: {key}" for seed, key in zip(row.seeds, keys, strict=False)]
        rows.append((str(step.step), step.label, trained, recovered, ", ".join(keys) or MISSING))
    return TextTable(
        title="Lineage",
        subtitle="How its checkpoints were made. A checkpoint's key is a digest of everything that it depends on.",
        columns=("Step", "Label", "Trained", "Recovered", "Checkpoints, by seed"),
        rows=tuple(rows),
    )
