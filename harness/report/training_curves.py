"""The curves of a run's trainings: metrics by optimizer step, over seeds."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.planning.plan import Plan
from harness.results.probe_rows import is_finite_number

FILE = "curves.json"
MOST_POINTS = 40
"""Longer curves are averaged to this number of points."""
METRICS: Mapping[str, tuple[str, ...]] = {
    "reward": ("reward",),
    "KL": ("kl", "objective/kl", "approx_kl"),
    "entropy": ("entropy", "objective/entropy"),
    "completion length (tokens)": ("completions/mean_length",),
    "gradient norm": ("grad_norm",),
}
"""The metrics of the figure with the names under which trainings log them."""


@dataclass(frozen=True, kw_only=True)
class StageCurve:
    """The curves of one step of one or several methods.

    seeds: those of which the metrics are known. last: the number of optimizer steps. at: the optimizer step of each
    point. values: by metric, the mean, the least and the largest value over seeds at each point; None where no seed
    logged the metric.
    """

    methods: tuple[str, ...]
    step: int
    label: str
    seeds: tuple[int, ...]
    last: float
    at: tuple[float, ...]
    values: Mapping[str, tuple[tuple[float, float, float] | None, ...]]


_CURVES = TypeAdapter(tuple[StageCurve, ...])


def read_curves(plan: Plan, store: Store) -> tuple[tuple[StageCurve, ...], list[str]]:
    """Returns the curves of all steps in the store, each once, and the results whose metrics cannot be read."""
    methods: dict[tuple[tuple[int, str], ...], list[tuple[str, int]]] = {}
    for name in dict.fromkeys(method.name for method in plan.methods):
        own = [method for method in plan.methods if method.name == name]
        for step in range(1, min(len(method.lineage) for method in own)):
            keys = tuple((method.seed, method.lineage[step]) for method in own)
            methods.setdefault(keys, []).append((name, step))
    found, problems = [], []
    for keys, places in methods.items():
        by_seed: dict[int, list[Mapping[str, Any]]] = {}
        for seed, key in keys:
            try:
                rows = list(_rows(store, key))
            except (DamagedResult, ValueError):
                problems.append(f"{key[:12]}/metrics.jsonl, of {plan.nodes[key].label}")
                continue
            if rows:
                by_seed[seed] = rows
        names = tuple(name for name, _ in places)
        label = plan.nodes[keys[0][1]].label
        if by_seed and (curve := _curve(names, places[0][1], label, by_seed)) is not None:
            found.append(curve)
    return tuple(found), problems


def _rows(store: Store, key: str) -> Iterator[Mapping[str, Any]]:
    if not store.holds(key) or not (store.path(key) / "metrics.jsonl").is_file():
        return
    for line in store.read(key, "metrics.jsonl").splitlines():
        row = parse_json(line)
        if isinstance(row, dict) and is_finite_number(row.get("step")):
            yield row


def _curve(
    methods: tuple[str, ...], step: int, label: str, by_seed: Mapping[int, Sequence[Mapping[str, Any]]]
) -> StageCurve | None:
    last = max(float(row["step"]) for rows in by_seed.values() for row in rows)
    if last <= 0:
        return None
    width = max(1.0, last / MOST_POINTS)
    count = math.ceil(last / width)
    values: dict[str, tuple[tuple[float, float, float] | None, ...]] = {}
    for metric, names in METRICS.items():
        bins: list[dict[int, list[float]]] = [defaultdict(list) for _ in range(count)]
        for seed, rows in by_seed.items():
            for row in rows:
                value = next((row[name] for name in names if is_finite_number(row.get(name))), None)
                if value is not None:
                    place = min(max(math.ceil(float(row["step"]) / width) - 1, 0), count - 1)
                    bins[place][seed].append(float(value))
        if any(bins):
            values[metric] = tuple(_spread([math.fsum(v) / len(v) for v in one.values()]) for one in bins)
    at = tuple(min((place + 0.5) * width + 0.5, last) if width > 1 else place + 1.0 for place in range(count))
    return StageCurve(
        methods=methods, step=step, label=label, seeds=tuple(sorted(by_seed)), last=last, at=at, values=values
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float] | None:
    if not values:
        return None
    mean, low, high = math.fsum(values) / len(values), min(values), max(values)
    return float(f"{mean:.5g}"), float(f"{low:.5g}"), float(f"{high:.5g}")


def curves_to_json(curves: Sequence[StageCurve]) -> str:
    """Returns the curves as JSON, one a line, with a final newline; empty if there are none."""
    lines = ",\n".join(json.dumps(asdict(one)) for one in curves)
    return f"[\n{lines}\n]\n" if curves else ""


def parse_curves(path: Path) -> tuple[StageCurve, ...]:
    """Returns the curves in a file written from `curves_to_json`. Raises UsageError if it cannot be read."""
    try:
        return _CURVES.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            "these training curves cannot be read", where=str(path), hint="add the run again: harness leaderboard add"
        ) from error
