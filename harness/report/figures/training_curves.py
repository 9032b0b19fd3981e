"""Reward, KL, entropy, length and gradient norm of the trainings, by stage or by optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.captions import listed
from harness.report.figure import Absent, Figure
from harness.report.looks import method_looks
from harness.report.plots.model import Axis, Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis, named_axis
from harness.report.record import RunRecord
from harness.report.stages import stage_names
from harness.report.tables.layout import MISSING, TextTable
from harness.report.training_curves import METRICS, StageCurve

STAGE, STEPS = "stages", "optimizer steps"


def training_curves(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no training has metrics."""
    name, title = "training-curves", "Training curves"
    curves = [one for one in record.curves if one.values]
    if not curves:
        reason = "The training metrics are in the store of a run; this record was kept without them."
        return Absent(name=name, title=title, reason=reason)
    names = [metric for metric in METRICS if any(metric in one.values for one in curves)]
    seeds = sorted({seed for one in curves for seed in one.seeds})
    several = len(seeds) > 1
    begins = _begins(record, curves)
    views = tuple(
        View(name=view, panels=tuple(_panel(record, curves, begins, metric, view) for metric in names))
        for view in (STAGE, STEPS)
    )
    return Figure(
        name=name,
        title=title,
        caption=(
            "What the trainings logged at each optimizer step, "
            f"{'mean and range over' if several else 'of'} {'seeds' if several else 'seed'} "
            f"{listed([str(seed) for seed in seeds])}. Each line begins where a stage begins; stages that methods "
            "share are drawn once. Vertical lines mark the stages."
        ),
        description=(f"Lines of {listed(names)} over the optimizer steps of {listed([one.label for one in curves])}."),
        views=views,
        choice="horizontal axis",
        numbers=TextTable(
            title=title,
            subtitle="The first and the last point of each stage; points of long stages are means",
            columns=("Stage", "Of", "Optimizer steps", *(name[:1].upper() + name[1:] for name in names)),
            rows=tuple(_cells(one, names) for one in curves),
        ),
    )


def _begins(record: RunRecord, curves: Sequence[StageCurve]) -> dict[tuple[str, int], float]:
    """Returns the number of optimizer steps before each stage of each method."""
    lasts = {(method, one.step): one.last for one in curves for method in one.methods}
    begins = {}
    for row in record.leaderboard.rows:
        total = 0.0
        for step in range(1, len(row.trajectory)):
            begins[row.method, step] = total
            total += lasts.get((row.method, step), 0.0)
    return begins


def _panel(
    record: RunRecord,
    curves: Sequence[StageCurve],
    begins: Mapping[tuple[str, int], float],
    metric: str,
    view: str,
) -> Points:
    looks = method_looks(record.leaderboard)
    series = []
    for one in curves:
        method = next((name for name in one.methods if name in looks), one.methods[0])
        points = one.values.get(metric, ())
        begin = begins.get((method, one.step), 0.0)
        marks = []
        for at, value in zip(one.at, points, strict=False):
            if value is None:
                continue
            mean, low, high = value
            x = begin + at if view == STEPS else one.step - 1 + at / one.last
            value_text = f"{mean:.4g}".replace("-", "−")
            tip = f"{listed(one.methods, 3)}, {one.label}, optimizer step {at:g}: {metric} {value_text}"
            marks.append(Mark(x=x, y=mean, low=low, high=high, tip=tip))
        if marks:
            band = len(one.seeds) > 1
            series.append(
                Series(name=method, method=method, look=looks.get(method), marks=tuple(marks), band=band, small=True)
            )
    ends = [value for one in series for mark in one.marks for value in (mark.low, mark.y, mark.high)]
    across, rules = _across(record, curves, begins, view)
    return Points(title=metric, x=across, y=linear_axis(metric, ends), series=tuple(series), rules=rules)


def _across(
    record: RunRecord, curves: Sequence[StageCurve], begins: Mapping[tuple[str, int], float], view: str
) -> tuple[Axis, tuple[Rule, ...]]:
    """Returns the horizontal axis, and a line at each place where a stage ends."""
    if view == STAGE:
        stages = max(one.step for one in curves)
        return named_axis("stage", stage_names(record.leaderboard)[1 : stages + 1], low=0.0), ()
    ends: dict[float, dict[str, None]] = {}
    for one in curves:
        for method in one.methods:
            ends.setdefault(begins.get((method, one.step), 0.0) + one.last, {})[one.label] = None
    axis = linear_axis(STEPS, ends, include=(0.0,), flush=True)
    return axis, tuple(Rule(at=at, along="x", tip=f"end of {listed(list(names))}") for at, names in ends.items())


def _cells(one: StageCurve, names: Sequence[str]) -> tuple[str, ...]:
    cells = []
    for name in names:
        known = [value for value in one.values.get(name, ()) if value is not None]
        cells.append(f"{known[0][0]:.4g} → {known[-1][0]:.4g}".replace("-", "−") if known else MISSING)
    return one.label, listed(one.methods, 4), f"{one.last:,.0f}", *cells
