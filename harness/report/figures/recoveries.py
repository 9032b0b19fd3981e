"""What each recovery undid and what it cost other domains, against its cost, with random controls."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.captions import listed, over_scored_seeds, with_interval
from harness.report.figure import Absent, Figure
from harness.report.front import front_line, front_of
from harness.report.looks import Pair, method_looks, paired
from harness.report.plots.model import Axis, Mark, Points, Rule, Series, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import decimals
from harness.report.tables.recoveries import recovery_table
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, RecoveryResult

RATIO, COLLATERAL = "share of the damage undone", "collateral (points)"
MEASURES = {
    "optimizer_steps": "optimizer steps",
    "completions": "completions",
    "generated_tokens": "generated tokens",
    "train_seconds": "seconds",
}
FRONT = "no recovery undid more at a lower cost"


def recoveries(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no method recovers a domain, or no recovery has scores before and after it."""
    leaderboard = record.leaderboard
    name, title = "recoveries", "Recoveries against cost"
    pairs = paired(leaderboard)
    shown = [(pair.method, pair.result) for pair in pairs]
    shown += [pair.control for pair in pairs if pair.control is not None]
    shown = [(method, one) for method, one in shown if None not in (one.recovered.mean, one.damaged.mean)]
    costed = [(method, one) for method, one in shown if one.cost is not None]
    if not costed:
        reason = (
            "No recovery has scores before and after it yet."
            if pairs
            else "No method of this protocol recovers a domain. A step `{recover: DOMAIN, with: RECOVERY}` does."
        )
        return Absent(name=name, title=title, reason=reason)
    alone = [pair.method for pair in pairs if pair.control is None]
    remarks = dict.fromkeys(f"{pair.method}: {pair.result.remark}" for pair in pairs if pair.result.remark)
    bounded = [one for _, one in shown if one.ratio.ci95 is not None]
    views = [
        View(name=text, panels=_panels(leaderboard, pairs, costed, field, text)) for field, text in MEASURES.items()
    ]
    return Figure(
        name=name,
        title=title,
        caption=(
            "First panel: (recovered − damaged) / (peak − damaged), where 0 is no recovery and 1 a full recovery. "
            "Second panel: mean loss of the other domains in points, lower is better. Grey: the same recovery with a "
            "random selection. The cost is that of the recovery, or of a chain of recoveries up to it. The line in the "
            f"first panel: {FRONT}. {over_scored_seeds(leaderboard)}"
            + (f" Without a random control: {listed(alone)}." if alone else "")
            + (" The share's interval is Fieller's." if bounded else "")
            + (f" No point: the share is not bounded or undefined. {listed(list(remarks))}." if remarks else "")
        ),
        description="Points. "
        + " ".join(f"{_tip(_role(method, pairs), one, RATIO, one.ratio, 2)}." for method, one in shown),
        views=tuple(views),
        choice="horizontal axis",
        numbers=recovery_table(leaderboard),
    )


def _role(method: str, pairs: Sequence[Pair]) -> str:
    """Returns the method's name, marked if it is a random control."""
    controls = {pair.control[0] for pair in pairs if pair.control is not None}
    return f"{method} (random control)" if method in controls else method


def _tip(method: str, one: RecoveryResult, measure: str, estimate: Estimate, digits: int) -> str:
    return f"{method} ({one.plugin} for {one.target}), {measure}: {with_interval(estimate, digits)}"


def _panels(
    leaderboard: Leaderboard,
    pairs: Sequence[Pair],
    shown: Sequence[tuple[str, RecoveryResult]],
    field: str,
    text: str,
) -> tuple[Points, ...]:
    across = linear_axis(f"{text} of the recovery", [getattr(one.cost, field) for _, one in shown], include=(0.0,))
    panels = []
    for measure, digits in ((RATIO, 2), (COLLATERAL, decimals(leaderboard))):
        # The share of a damage that is not significant can have any size, so its point could dwarf the others.
        known = [
            (method, one, estimate)
            for method, one in shown
            for estimate in [one.ratio if measure == RATIO else one.collateral]
            if estimate.mean is not None and estimate.interval != "unbounded"
        ]
        if known:
            panels.append(_panel(leaderboard, pairs, known, across, (field, measure, digits)))
    return tuple(panels)


def _panel(
    leaderboard: Leaderboard,
    pairs: Sequence[Pair],
    known: Sequence[tuple[str, RecoveryResult, Estimate]],
    across: Axis,
    measured: tuple[str, str, int],
) -> Points:
    field, measure, digits = measured
    looks = method_looks(leaderboard)
    controls = [pair.control[1] for pair in pairs if pair.control is not None]
    series = []
    for method, one, estimate in known:
        assert estimate.mean is not None
        low, high = estimate.ci95 or (None, None)
        cost = float(getattr(one.cost, field))
        tip = f"{_tip(_role(method, pairs), one, measure, estimate, digits)}; {cost:,.0f} {MEASURES[field]}"
        mark = Mark(x=cost, y=estimate.mean, low=low, high=high, tip=tip, shape="diamond")
        grey = any(one is control for control in controls)
        look = None if grey else looks[method]
        series.append(Series(name=method, method=method, look=look, marks=(mark,), line=False))
    if measure == RATIO:
        candidates = [one.marks[0] for one in series if one.look is not None]
        series.insert(0, front_line([candidates[k] for k in front_of([(mark.x, mark.y) for mark in candidates])]))
    ends = [value for one in series for mark in one.marks for value in (mark.low, mark.y, mark.high)]
    return Points(
        title=measure,
        x=across,
        y=linear_axis(measure, ends, include=(0.0, 1.0) if measure == RATIO else (0.0,)),
        series=tuple(series),
        rules=tuple(Rule(at=at, along="y") for at in ((0.0, 1.0) if measure == RATIO else (0.0,))),
    )
