"""The rollback curve: how much a score's choice of coordinates brings back at each fraction, beside a random choice."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import LineageEntry, Probe, ProbeContext, StepFailed
from harness_recoveries.rollback.choice import Size, choose
from harness_recoveries.rollback.config import CurveConfig, ScoreName
from harness_recoveries.rollback.edit import Edit, edit_since_peak
from harness_recoveries.rollback.scores import Blame, Case, blame_by
from harness_recoveries.rollback.undo import undo

_ROWS = "rows.jsonl"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One rollback of a curve; draw: which of the random ones, 0 for others."""

    score: ScoreName
    fraction: float
    draw: int


class RollbackCurve(Probe):
    """Rolls the last trained checkpoint of a method back by each score and fraction, and scores every result.

    A method in which no training follows the target's own has no damage to undo and gives no rows. Rows are kept as
    they come, so a killed probe goes on with the next.
    """

    def __init__(self, config: CurveConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        """Returns a row for each rollback, those of the peak and of the damaged checkpoint (fraction null) first.

        fraction: of the eligible coordinates. coordinates: how many went back. The domains' scores are as the
        leaderboard has them.
        """
        trained = [entry for entry in context.lineage if entry.domains]
        target = self.config.target or (sorted(trained[0].domains)[0] if trained else "")
        lineage = _up_to_last_other(context.lineage, target)
        if lineage is None:
            return []
        peak = max(entry.step for entry in lineage if target in entry.domains)
        return _Measurement(self.config, context, lineage, target, peak).rows()


def _up_to_last_other(lineage: Sequence[LineageEntry], target: str) -> Sequence[LineageEntry] | None:
    """Returns the lineage as long as other domains are trained after the target, None where none is.

    A recovery at the end trains the target or nothing, so it is left out.
    """
    last = max((entry.step for entry in lineage if entry.domains and target not in entry.domains), default=0)
    harmed = lineage[: last + 1]
    return harmed if any(target in entry.domains for entry in harmed) else None


class _Measurement:
    """The points of one curve, in order, and the rows that a killed probe left of them."""

    def __init__(
        self, config: CurveConfig, context: ProbeContext, lineage: Sequence[LineageEntry], target: str, peak: int
    ) -> None:
        if context.score is None:
            raise StepFailed("the curve scores models, and was handed no way to", hint="its spec says `scores`")
        self._config = config
        self._context = context
        self._score = context.score
        self._lineage = lineage
        self._target = target
        self._peak = peak
        self._rows = context.scratch / _ROWS
        self._blames: dict[tuple[ScoreName, int], Blame] = {}

    def rows(self) -> list[dict[str, Any]]:
        edit = edit_since_peak(self._lineage[-1].folder, self._lineage[self._peak].folder, self._config.exclude)
        points: list[Point | LineageEntry] = [self._lineage[self._peak], self._lineage[-1], *self._points()]
        kept = _whole_lines(self._rows)
        self._rows.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        for done, point in enumerate(points):
            self._context.progress(done, len(points), {})
            if done < len(kept):
                continue
            row = self._of_checkpoint(point) if isinstance(point, LineageEntry) else self._of_point(point, edit)
            kept.append(row)
            with self._rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return kept

    def _points(self) -> Iterator[Point]:
        for score in self._config.scores:
            for draw in range(self._config.draws if score == "random" else 1):
                for fraction in self._config.fractions():
                    yield Point(score=score, fraction=fraction, draw=draw)

    def _of_checkpoint(self, entry: LineageEntry) -> dict[str, Any]:
        kind = "peak" if entry.step == self._peak else "damaged"
        return self._row(kind, None, 0, 0, self._score(entry.folder))

    def _of_point(self, point: Point, edit: Edit) -> dict[str, Any]:
        folder = self._context.scratch / "model"
        shutil.rmtree(folder, ignore_errors=True)
        blame = self._blame(point, edit)
        size = Size(fraction=point.fraction)

        def chosen(temporary: Path) -> Any:
            return choose(blame.of, edit, self._config.granularity, size, temporary)

        try:
            undone = undo(edit, folder, self._config.strength, chosen)
            scores = self._score(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._row(point.score, point.fraction, point.draw, undone.choice.count, scores)

    def _blame(self, point: Point, edit: Edit) -> Blame:
        """Returns the score, measured once; each random draw has a seed of its own, the same at every fraction, so
        that what a draw takes grows with the fraction."""
        name = (point.score, point.draw)
        if name not in self._blames:
            seed = random.Random(f"{self._context.seed}/rollback-curve/{point.draw}").getrandbits(31)
            case = Case(
                context=self._context,
                edit=edit,
                target=self._target,
                lineage=self._lineage,
                peak=self._peak,
                completions=self._config.completions,
                seed=seed,
            )
            self._blames[name] = blame_by(point.score, case)
        return self._blames[name]

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


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the rows that a killed probe had finished: a kill tears the line it falls into."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else ():
        if line.endswith("\n"):
            rows.append(json.loads(line))
    return rows
