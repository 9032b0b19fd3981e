"""Points of a rollback curve among the rows of probes, whichever probe measured them.

A row is a point where it has `fraction` (0 to 1), `score` (what chose the coordinates, `random` for chance) and
`target_score`; `average`, of all domains, and `target` may stand beside them. Where `fraction` is null, `score` names
what a curve is compared with: `peak` and `damaged`.
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
    """One rolled-back model, or one that it is compared with, which has no fraction. average: None where not scored."""

    method: str
    seed: int
    target: str
    kind: str
    fraction: float | None
    target_score: float
    average: float | None


def curve_points(record: RunRecord) -> Iterator[CurvePoint]:
    """Yields every point, once where methods that share their trainings measured the same."""
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
