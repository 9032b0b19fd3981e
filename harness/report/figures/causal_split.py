"""What parts of a later training's update cost the target domain, with random controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.report.captions import listed, over_seeds, with_interval
from harness.report.draws import RANDOM, Drawn, MeanOfDraws, means_of_draws, rows_once
from harness.report.figure import Absent, Figure
from harness.report.plots.model import Line, Rows, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, interval
from harness.report.unmeasured import unmeasured
from harness.results.probe_rows import is_finite_number

NEEDED = ("piece", "target", "against", "loss")

Part = tuple[str, str]
"""The target and the update, and the part of the update."""


def causal_split(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no probe scored the parts of an update."""
    name, title = "harm-by-part", "Where an update does harm"
    losses = list(_losses(record))
    if not losses:
        done, probe = "scored parts of an update", "a probe that splits updates"
        return unmeasured(name, title, measured=done, needed=NEEDED, probe=probe)
    means = means_of_draws(losses)
    updates = list(dict.fromkeys(update for update, _ in means))
    worst = max(means, key=lambda part: means[part].over_seeds.mean or 0.0)
    draws = max((one.draws for (_, piece), one in means.items() if piece.startswith(RANDOM)), default=0)
    return Figure(
        name=name,
        title=title,
        caption=(
            "Points that the target loses when a part of the update of a later training is added to its peak. "
            "Negative values are gains. "
            + (f"Grey: random controls, the mean of {draws} draws per seed. " if draws else "")
            + over_seeds(sorted({one.seed for one in losses}), sampling=False)
        ),
        description=(
            f"Bars of the loss by part of the update for {listed(updates, 4)}. "
            f"The largest loss: {', '.join(worst)}: {with_interval(means[worst].over_seeds, 2)}."
        ),
        views=(View(name="", panels=tuple(_panel(update, means) for update in updates)),),
        numbers=TextTable(
            title=title,
            subtitle="Mean, with 95 % intervals over seeds in brackets, if there are several seeds",
            columns=("Target and update", "Part", "Loss", "Models"),
            rows=tuple((*part, interval(one.over_seeds, 2), str(one.count)) for part, one in means.items()),
        ),
    )


def _losses(record: RunRecord) -> Iterator[Drawn[Part]]:
    for _, seed, row in rows_once(record):
        piece, target, against, loss = (row.get(key) for key in NEEDED)
        if isinstance(piece, str) and isinstance(target, str) and isinstance(against, str) and is_finite_number(loss):
            yield Drawn(place=(f"{target} after {against}", piece), seed=seed, value=float(loss))


def _panel(update: str, means: Mapping[Part, MeanOfDraws]) -> Rows:
    own = {piece: one.over_seeds for (of, piece), one in means.items() if of == update}
    ends = [value for one in own.values() for value in (one.mean, *(one.ci95 or ()))]
    lines = []
    for piece, one in own.items():
        low, high = one.ci95 or (None, None)
        tip = f"{update}, {piece}: {with_interval(one, 2)}"
        look = None if piece.startswith(RANDOM) else 0
        lines.append(Line(label=piece, value=one.mean, low=low, high=high, look=look, text=interval(one, 2), tip=tip))
    axis = linear_axis("points lost", ends, include=(0.0,), flush=True)
    return Rows(title=update, axis=axis, lines=tuple(lines), bars=True, zero=True)
