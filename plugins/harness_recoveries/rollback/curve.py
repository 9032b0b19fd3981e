"""The probe `rollback-curve`: the scores of rollbacks of growing size, by several importance scores and at random."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import LineageEntry, Probe, ProbeContext, Problem, StartContext, StepFailed
from harness.training import ImportanceScore, ScoredCase, ScoreName, check_scores, importance_score
from harness.weights import Selection, SelectionSize, WeightDelta, delta_since_peak, select_units
from harness_recoveries.rollback.config import CurveConfig
from harness_recoveries.rollback.undo import undo

_ROWS = "rows.jsonl"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One rollback of a curve. draw: the number of the random selection; 0 for other scores."""

    score: ScoreName
    fraction: float
    draw: int


class RollbackCurve(Probe):
    """Rolls the last trained checkpoint of a method back by each score and fraction, and evaluates every result.

    A method in which no training follows the target's own has no damage to undo, so it gives no rows. Each row is
    stored as soon as it is computed, so a killed probe resumes with the next row.
    """

    def __init__(self, config: CurveConfig) -> None:
        self.config = config

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises CheckpointError if a score needs gradients that the base model does not give."""
        check_scores(self.config.scores, start.model, self.config.exclude)
        return ()

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        """Returns a row for each rollback, after one for the peak and one for the damaged checkpoint (fraction null).

        fraction: of the eligible weights. coordinates: the number of weights that were set back. Scores of domains are
        those of the leaderboard.
        """
        trained = [entry for entry in context.lineage if entry.domains]
        target = self.config.target or (sorted(trained[0].domains)[0] if trained else "")
        lineage = _up_to_last_other(context.lineage, target)
        if lineage is None:
            return []
        peak = max(entry.step for entry in lineage if target in entry.domains)
        return _Measurement(self.config, context, lineage, target, peak).rows()


def _up_to_last_other(lineage: Sequence[LineageEntry], target: str) -> Sequence[LineageEntry] | None:
    """Returns the lineage up to the last training of another domain after the target's; None where there is none.

    A recovery at the end trains the target or nothing, so it is left out.
    """
    last = max((entry.step for entry in lineage if entry.domains and target not in entry.domains), default=0)
    harmed = lineage[: last + 1]
    return harmed if any(target in entry.domains for entry in harmed) else None


class _Measurement:
    """Computes the points of one curve in order, and reuses the rows that a killed probe stored."""

    def __init__(
        self, config: CurveConfig, context: ProbeContext, lineage: Sequence[LineageEntry], target: str, peak: int
    ) -> None:
        if context.score is None:
            raise StepFailed(
                "rollback-curve evaluates models, but got no evaluator", hint="set scores=True in its ProbeSpec"
            )
        self._config = config
        self._context = context
        self._score = context.score
        self._lineage = lineage
        self._target = target
        self._peak = peak
        self._rows = context.scratch / _ROWS
        self._measured: dict[tuple[ScoreName, int], ImportanceScore] = {}

    def rows(self) -> list[dict[str, Any]]:
        delta = delta_since_peak(self._lineage[-1].folder, self._lineage[self._peak].folder, self._config.exclude)
        points: list[Point | LineageEntry] = [self._lineage[self._peak], self._lineage[-1], *self._points()]
        rows = _complete_lines(self._rows)
        self._rows.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for done, point in enumerate(points):
            self._context.progress(done, len(points), {})
            if done < len(rows):
                continue
            row = self._of_checkpoint(point) if isinstance(point, LineageEntry) else self._of_point(point, delta)
            rows.append(row)
            with self._rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return rows

    def _points(self) -> Iterator[Point]:
        for score in self._config.scores:
            for draw in range(self._config.draws if score == "random" else 1):
                for fraction in self._config.fractions():
                    yield Point(score=score, fraction=fraction, draw=draw)

    def _of_checkpoint(self, entry: LineageEntry) -> dict[str, Any]:
        kind = "peak" if entry.step == self._peak else "damaged"
        return self._row(kind, None, 0, 0, self._score(entry.folder))

    def _of_point(self, point: Point, delta: WeightDelta) -> dict[str, Any]:
        folder = self._context.scratch / "model"
        shutil.rmtree(folder, ignore_errors=True)
        score = self._importance(point, delta)
        size = SelectionSize(fraction=point.fraction)

        def selected(temporary: Path) -> Selection:
            return select_units(score.of, delta, self._config.granularity, size, temporary)

        try:
            undone = undo(delta, folder, self._config.strength, selected)
            scores = self._score(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._row(point.score, point.fraction, point.draw, undone.selection.count, scores)

    def _importance(self, point: Point, delta: WeightDelta) -> ImportanceScore:
        """Returns the score, measured once. A random draw has the same seed at every fraction, so its selections are
        nested."""
        name = (point.score, point.draw)
        if name not in self._measured:
            seed = random.Random(f"{self._context.seed}/rollback-curve/{point.draw}").getrandbits(31)
            case = ScoredCase(
                context=self._context,
                delta=delta,
                target=self._target,
                lineage=self._lineage,
                peak=self._peak,
                completions=self._config.completions,
                seed=seed,
            )
            self._measured[name] = importance_score(point.score, case)
        return self._measured[name]

    def _row(
        self, kind: str, fraction: float | None, draw: int, coordinates: int, scores: Mapping[str, float]
    ) -> dict[str, Any]:
        return {
            "target": self._target,
            "damaged": self._lineage[-1].label,
            "score": kind,
            "fraction": fraction,
            "draw": draw,
            "coordinates": coordinates,
            "target_score": scores.get(self._target),
            "average": math.fsum(scores.values()) / len(scores) if scores else None,
            **{f"score_of_{domain}": scores.get(domain) for domain in self._context.domains},
        }


def _complete_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of the complete lines: a killed probe may leave a partial last line."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else ():
        if line.endswith("\n"):
            rows.append(json.loads(line))
    return rows
