"""How a recovery moves back to the target's peak, inside and outside the subspace where its reward is curved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.report.captions import listed, over_seeds, with_interval
from harness.report.draws import RANDOM, Drawn, MeanOfDraws, means_of_draws, rows_once
from harness.report.figure import Absent, Figure
from harness.report.plots.model import Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, interval
from harness.report.unmeasured import unmeasured
from harness.results.probe_rows import is_finite_number

NEEDED = ("target", "recovery", "part", "optimizer_step", "log_ratio")

Point = tuple[str, str, int]
"""The recovery, the part and the optimizer step."""


def contraction(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no probe measured distances within a recovery."""
    name, title = "contraction", "What a recovery moves back"
    values = list(_values(record))
    if not values:
        done, probe = "measured distances from a peak within a recovery", "a probe of contraction"
        return unmeasured(name, title, measured=done, needed=NEEDED, probe=probe)
    means = means_of_draws(values)
    recoveries = list(dict.fromkeys(recovery for recovery, _, _ in means))
    last = min(means, key=lambda point: means[point].over_seeds.mean or 0.0)
    return Figure(
        name=name,
        title=title,
        caption=(
            "Natural logarithm of the distance from the target's peak, relative to that before the recovery, over the "
            "recovery's optimizer steps. A straight line downwards is a contraction at a constant rate; 0 is no "
            "change. Grey: random subspaces of the same dimension. "
            + over_seeds(sorted({one.seed for one in values}), sampling=False)
        ),
        description=(
            f"Lines of the distance by optimizer steps for {listed(recoveries, 4)}. "
            f"The lowest: {last[0]}, {last[1]}, step {last[2]}: {with_interval(means[last].over_seeds, 3)}."
        ),
        views=(View(name="", panels=tuple(_panel(recovery, means) for recovery in recoveries)),),
        numbers=TextTable(
            title=title,
            subtitle="Mean, with 95 % intervals over seeds in brackets, if there are several seeds",
            columns=("Recovery and target", "Part", "Optimizer step", "Log ratio"),
            rows=tuple(
                (recovery, part, str(step), interval(one.over_seeds, 3))
                for (recovery, part, step), one in means.items()
            ),
        ),
    )


def _values(record: RunRecord) -> Iterator[Drawn[Point]]:
    for method, seed, row in rows_once(record):
        target, recovery, part, step, value = (row.get(key) for key in NEEDED)
        texts = all(isinstance(text, str) for text in (target, recovery, part))
        if texts and isinstance(step, int) and is_finite_number(value):
            yield Drawn(place=(f"{method}: {target}", str(part), step), seed=seed, value=float(value))


def _panel(recovery: str, means: Mapping[Point, MeanOfDraws]) -> Points:
    own = {(part, step): one.over_seeds for (of, part, step), one in means.items() if of == recovery}
    parts = dict.fromkeys(part for part, _ in own)
    coloured = [part for part in parts if not part.startswith(RANDOM)]
    series = []
    for part in parts:
        marks = []
        for step, one in sorted((step, one) for (of, step), one in own.items() if of == part):
            low, high = one.ci95 or (one.mean, one.mean)
            tip = f"{recovery}, {part}, step {step}: {with_interval(one, 3)}"
            marks.append(Mark(x=float(step), y=one.mean or 0.0, low=low, high=high, tip=tip))
        look = coloured.index(part) if part in coloured else None
        series.append(Series(name=part, look=look, marks=tuple(marks), band=True))
    return Points(
        title=recovery,
        x=linear_axis("optimizer steps of the recovery", [float(step) for _, step in own], flush=True),
        y=linear_axis("log distance ratio", [end for one in own.values() for end in (one.mean, *(one.ci95 or ()))]),
        series=tuple(series),
        rules=(Rule(at=0.0, along="y"),),
    )
