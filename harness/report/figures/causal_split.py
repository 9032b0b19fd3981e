"""What parts of a later training's update cost the target domain, with random controls."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from harness.report.captions import listed, over_seeds, with_interval
from harness.report.figure import Absent, Figure
from harness.report.plots.model import Line, Rows, View
from harness.report.plots.scales import linear_axis
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, interval
from harness.results.estimates import Estimate, estimate
from harness.results.metrics import Score
from harness.results.probe_rows import is_finite_number

NEEDED = ("piece", "target", "against", "loss")
RANDOM = "random"
"""Pieces whose names begin with this are controls."""


@dataclass(frozen=True, kw_only=True)
class _Loss:
    """What one piece cost, for one seed and draw."""

    seed: int
    pair: tuple[str, str]
    piece: str
    loss: float


def causal_split(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if no probe scored the pieces of an update."""
    name, title = "causal-split", "Where an update does harm"
    losses = list(_losses(record))
    if not losses:
        reason = (
            "No probe of this run scored parts of an update. This figure needs rows with "
            f"{', '.join(f'`{key}`' for key in NEEDED)}. To produce them, add a probe that splits updates under "
            "`probes`."
        )
        return Absent(name=name, title=title, reason=reason)
    seen: dict[tuple[tuple[str, str], str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in losses:
        seen[one.pair, one.piece][one.seed].append(one.loss)
    # The draws of one seed start from the same model, so each seed counts once.
    means = {
        place: estimate([Score(math.fsum(draws) / len(draws), None, 0) for draws in by_seed.values()])
        for place, by_seed in seen.items()
    }
    drawn = {place: max(map(len, by_seed.values())) for place, by_seed in seen.items()}
    seeds = sorted({one.seed for one in losses})
    pairs = list(dict.fromkeys(pair for pair, _ in means))
    worst = max(means, key=lambda place: means[place].mean or 0.0)
    controls = [piece for piece in dict.fromkeys(piece for _, piece in means) if piece.startswith(RANDOM)]
    draws = max((drawn[place] for place in means if place[1] in controls), default=0)
    return Figure(
        name=name,
        title=title,
        caption=(
            "Points that the target loses when a part of the update of a later training is added to its peak. "
            "Negative values are gains. "
            + (f"Grey: random controls, the mean of {draws} draws per seed. " if controls else "")
            + over_seeds(seeds, sampling=False)
        ),
        description=(
            f"Bars of the loss by part of the update for {listed([_title(pair) for pair in pairs], 4)}. "
            f"The largest loss: {_title(worst[0])}, {worst[1]}: {with_interval(means[worst], 2)}."
        ),
        views=(View(name="", panels=tuple(_panel(pair, means) for pair in pairs)),),
        numbers=TextTable(
            title=title,
            subtitle="Mean, with 95 % intervals over seeds in brackets, if there are several seeds",
            columns=("Target and update", "Part", "Loss", "Models"),
            rows=tuple(
                (_title(pair), piece, interval(one, 2), str(sum(map(len, seen[pair, piece].values()))))
                for (pair, piece), one in means.items()
            ),
        ),
    )


def _losses(record: RunRecord) -> Iterator[_Loss]:
    """Yields every loss. Those of methods that share their trainings are yielded once."""
    shown: set[tuple[int, str]] = set()
    for probe in record.probes:
        for row in probe.rows:
            texts = [row.get(key) for key in NEEDED[:-1]]
            if not all(isinstance(text, str) for text in texts) or not is_finite_number(row.get("loss")):
                continue
            if (same := (probe.seed, json.dumps([dict(probe.config), dict(row)], sort_keys=True))) in shown:
                continue
            shown.add(same)
            piece, target, against = map(str, texts)
            yield _Loss(seed=probe.seed, pair=(target, against), piece=piece, loss=float(row["loss"]))


def _title(pair: tuple[str, str]) -> str:
    target, against = pair
    return f"{target} after {against}"


def _panel(pair: tuple[str, str], means: dict[tuple[tuple[str, str], str], Estimate]) -> Rows:
    own = {piece: one for (of, piece), one in means.items() if of == pair}
    ends = [value for one in own.values() for value in (one.mean, *(one.ci95 or ()))]
    return Rows(
        title=_title(pair),
        axis=linear_axis("points lost", ends, include=(0.0,), flush=True),
        lines=tuple(
            Line(
                label=piece,
                value=one.mean,
                low=one.ci95[0] if one.ci95 else None,
                high=one.ci95[1] if one.ci95 else None,
                look=None if piece.startswith(RANDOM) else 0,
                text=interval(one, 2),
                tip=f"{_title(pair)}, {piece}: {with_interval(one, 2)}",
            )
            for piece, one in own.items()
        ),
        bars=True,
        zero=True,
    )
