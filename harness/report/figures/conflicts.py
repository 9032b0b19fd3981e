"""Gradient conflicts between domains by layer and module, from the `conflict_by_module` that steps report."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.captions import listed, over_seeds, with_interval
from harness.report.figure import Absent, Figure
from harness.report.plots.model import Cell, Matrix, MatrixLine, View
from harness.report.record import RunRecord
from harness.report.tables.layout import TextTable, interval, number
from harness.results.estimates import Estimate, estimate
from harness.results.metrics import Score
from harness.weights.parameter_groups import LAYER

REPORT_KEY = "conflict_by_module"
"""An optional key of a step's report: a list of {module, domains: [a, b], cosine_mean, conflict_share, steps}."""
MOST_PANELS = 12
OUTSIDE = "outside the layers"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A cell: the step, the pair of domains, the layer and the module."""

    panel: str
    module: str


def conflict_cosine(record: RunRecord) -> Figure | Absent:
    """Returns the mean cosine of two domains' gradients by layer and module; absent if no step reports it."""
    return _figure(
        record,
        name="conflict-cosine",
        title="Gradient cosines",
        field="cosine_mean",
        column="mean cosine",
        text="Mean cosine between the gradients of two domains over a step's optimizer steps. Negative values (orange)"
        " are conflicts.",
    )


def conflict_share(record: RunRecord) -> Figure | Absent:
    """Returns the share of optimizer steps with a negative cosine by layer and module; absent if no step reports it."""
    return _figure(
        record,
        name="conflict-share",
        title="Gradient conflicts",
        field="conflict_share",
        column="share of optimizer steps",
        text="Share of a step's optimizer steps in which the gradients of two domains have a negative cosine (0 to 1).",
    )


def _figure(record: RunRecord, *, name: str, title: str, field: str, column: str, text: str) -> Figure | Absent:
    seen: dict[_Place, dict[int, Score]] = defaultdict(dict)
    counts: set[int] = set()
    for place, seed, entry in _entries(record):
        value = entry.get(field)
        if isinstance(value, int | float) and math.isfinite(value):
            seen[place][seed] = Score(float(value), None, int(entry.get("steps") or 0))
            counts.add(int(entry.get("steps") or 0))
    if not seen:
        reason = (
            f"No step of this run reports `{REPORT_KEY}`. Algorithms that compute a gradient per domain, such as "
            "gradient surgery, report it when they train on several domains."
        )
        return Absent(name=name, title=title, reason=reason)
    cells = {place: estimate([scores[seed] for seed in sorted(scores)]) for place, scores in seen.items()}
    seeds = sorted({seed for scores in seen.values() for seed in scores})
    panels = list(dict.fromkeys(place.panel for place in cells))
    known = [(place, one, one.mean) for place, one in cells.items() if one.mean is not None]
    drawn = [(place, one, mean) for place, one, mean in known if place.panel in panels[:MOST_PANELS]]
    cosines = field == "cosine_mean"
    reach = max([0.1, *(abs(mean) for _, _, mean in drawn)])
    worst = (min if cosines else max)(drawn, key=lambda entry: entry[2])
    left = f" Only {MOST_PANELS} of {len(panels)} pairs are drawn; the table has all." if panels[MOST_PANELS:] else ""
    steps = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"

    return Figure(
        name=name,
        title=title,
        caption=f"{text} {over_seeds(seeds, sampling=False)} n = {steps} optimizer steps per seed.{left}",
        description=(
            f"Heat maps of layers by modules for {listed(panels, 4)}. "
            f"The {'lowest' if cosines else 'highest'}: {_tip(*worst[:2])}."
        ),
        views=(
            View(
                name="",
                panels=tuple(
                    _matrix(
                        [entry for entry in drawn if entry[0].panel == panel],
                        reach if cosines else 1.0,
                        cosines=cosines,
                    )
                    for panel in panels[:MOST_PANELS]
                ),
            ),
        ),
        numbers=TextTable(
            title=title,
            subtitle="95 % intervals over seeds in brackets, if there are several seeds",
            columns=("Step and domains", "Module", column, "Seeds"),
            rows=tuple(
                (place.panel, place.module, interval(one, 3), str(len(one.per_seed))) for place, one in cells.items()
            ),
        ),
    )


def _entries(record: RunRecord) -> Iterator[tuple[_Place, int, Mapping[str, Any]]]:
    for step in record.steps:
        entries = step.report.get(REPORT_KEY)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and isinstance(entry.get("domains"), list):
                pair = " | ".join(map(str, entry["domains"]))
                panel = f"{step.methods[0]}, step {step.step}: {pair}"
                yield _Place(panel=panel, module=str(entry.get("module"))), step.seed, entry


def _tip(place: _Place, one: Estimate) -> str:
    return f"{place.panel}, {place.module}: {with_interval(one, 3)}"


def _matrix(entries: Sequence[tuple[_Place, Estimate, float]], reach: float, *, cosines: bool) -> Matrix:
    """Returns the layers by the modules of one panel, in the order of the layers, with the other modules at the end."""
    found: dict[tuple[bool, str, int, str], dict[str, Cell]] = defaultdict(dict)
    for place, one, mean in entries:
        layer = LAYER.match(place.module)
        stack = (layer["stack"] or "") if layer else ""
        label = f"{stack} {layer['index']}".strip() if layer else OUTSIDE
        row = (layer is None, stack, int(layer["index"]) if layer else 0, label)
        found[row][(layer["part"] or "all") if layer else place.module] = Cell(
            value=mean, text=number(mean, 2), tip=_tip(place, one)
        )
    columns = tuple(dict.fromkeys(column for row in sorted(found) for column in found[row]))
    lines = tuple(
        MatrixLine(label=row[3], cells=tuple(found[row].get(column) for column in columns)) for row in sorted(found)
    )
    return Matrix(
        title=entries[0][0].panel,
        down="layer",
        across="module",
        columns=columns,
        lines=lines,
        low=-reach,
        high=reach,
        low_is_bad=cosines,
    )
