"""Damage predicted by probes compared with the measured damage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.figure import Absent, Figure
from harness.report.measured_damage import measured_damages
from harness.report.record import RunRecord
from harness.report.scatter import Point, scatter_figure
from harness.results.probe_rows import is_finite_number

PREFIX, SUFFIX = "predicted_", "_damage"
"""A probe column with this prefix or suffix is a prediction of the damage of a step."""
DOMAIN = ("harmed_domain", "domain")
"""The columns that name the domain of a prediction. The column `step` is the step in the lineage."""


def predictions(record: RunRecord) -> Iterator[Point]:
    """Yields each prediction whose domain was scored before and after the step, once per step."""
    measured = {(one.method, one.seed, one.step, one.domain): one for one in measured_damages(record)}
    shown: set[tuple[str, str, str, tuple[str, ...]]] = set()
    for probe in record.probes:
        for row in probe.rows:
            step, domain = row.get("step"), next((row[key] for key in DOMAIN if key in row), None)
            if not isinstance(step, int) or not isinstance(domain, str):
                continue
            happened = measured.get((probe.method, probe.seed, step, domain))
            if happened is None:
                continue
            labels = tuple(sorted(_labels(row)))
            for name, value in row.items():
                if (not name.startswith(PREFIX) and not name.endswith(SUFFIX)) or not is_finite_number(value):
                    continue
                kind = f"{probe.probe}: {name.removeprefix(PREFIX).replace('_', ' ')}"
                here = (kind, domain, happened.checkpoint, labels)
                if here in shown:
                    continue
                shown.add(here)
                place = f"{probe.method}, step {step}"
                yield Point(
                    kind=kind,
                    seed=probe.seed,
                    step=" ".join((place, *labels)),
                    place=place,
                    domain=domain,
                    predicted=float(value),
                    measured=happened.lost,
                )


def _labels(row: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key}={value}" for key, value in row.items() if isinstance(value, str) and key != "label")


def predicted_damage(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if there is no prediction, or no scores before and after a predicted step."""
    name, title = "damage-against-prediction", "Predicted damage"
    points = list(predictions(record))
    if not points:
        reason = (
            f"No probe of this run predicts the damage of a step. This figure needs rows with `step`, `{DOMAIN[0]}` "
            f"and a column that starts with `{PREFIX}` or ends with `{SUFFIX}`. To produce them, add a probe that "
            "predicts damage under `probes`."
        )
        return Absent(name=name, title=title, reason=reason)
    return scatter_figure(
        points,
        name=name,
        title=title,
        about=(
            "One point per step and domain. Horizontal: the probe's prediction, in its own unit. Vertical: the points "
            "that the domain lost in the step; negative values are gains."
        ),
        columns=("Prediction", "Method and step", "Seed", "Domain", "Predicted", "Measured"),
    )
