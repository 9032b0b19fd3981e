"""Points of a rollback curve in the rows of any probe.

A row is a point if it has `fraction` (0 to 1), `score` (the name of the score that selected the weights, or `random`)
and `target_score`. Optional: `average` (of all domains) and `target`. If `fraction` is null, the row is a reference
line and `score` is its name: `peak` or `damaged`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from harness.report.record import RunRecord
from harness.results.probe_rows import is_finite_number

REFERENCES = ("peak", "damaged")
NEEDED = ("fraction", "score", "target_score")


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A rolled-back model, or a reference model, which has no fraction. average: None if not scored."""

    method: str
    seed: int
    target: str
    kind: str
    fraction: float | None
    target_score: float
    average: float | None


def curve_points(record: RunRecord) -> Iterator[CurvePoint]:
    """Yields every point. Points of methods that share their trainings are yielded once."""
    seen: set[tuple[int, str]] = set()
    for probe in record.probes:
        for row in probe.rows:
            fraction, score = row.get("fraction"), row.get("target_score")
            if not is_finite_number(score) or not isinstance(row.get("score"), str):
                continue
            if not is_finite_number(fraction) and not ("fraction" in row and row["score"] in REFERENCES):
                continue
            if (same := (probe.seed, json.dumps(row, sort_keys=True))) in seen:
                continue
            seen.add(same)
            average = row.get("average")
            yield CurvePoint(
                method=probe.method,
                seed=probe.seed,
                target=str(row.get("target", "target")),
                kind=row["score"],
                fraction=float(fraction) if is_finite_number(fraction) else None,
                target_score=float(score),
                average=float(average) if is_finite_number(average) else None,
            )
