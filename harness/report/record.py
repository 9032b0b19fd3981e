"""The data of a report: a run's leaderboard and the reports of its steps and probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.prediction.kept import PredictionRecord
from harness.report.training_curves import StageCurve
from harness.results.leaderboard import Leaderboard
from harness.results.probe_rows import ProbeRows
from harness.results.score_curves import ScoreCurves


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The `StepResult.report` of a training or recovery. methods: the methods whose lineage contains the step."""

    methods: tuple[str, ...]
    seed: int
    step: int
    label: str
    report: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunState:
    """The progress of a run. done: results in the store. nodes: all results. running: its log has no end event.

    stopped: the reason why the last invocation ended early. failed: the steps that failed in it. store_missing: the
    store was not found, so only the leaderboard is known.
    """

    done: int
    nodes: int
    running: bool = False
    stopped: str = ""
    failed: int = 0
    store_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as its report shows it. state: None for a kept record, which has no store. prediction: of its trainings,
    None if there is none. curves: of its trainings. score_curves: None unless the protocol scores
    models within trainings. problems: files that could not be read and are left out."""

    leaderboard: Leaderboard
    protocol: str
    provenance: Mapping[str, Any]
    steps: tuple[StepReport, ...] = ()
    probes: tuple[ProbeRows, ...] = ()
    state: RunState | None = None
    prediction: PredictionRecord | None = None
    curves: tuple[StageCurve, ...] = ()
    score_curves: ScoreCurves | None = None
    problems: tuple[str, ...] = field(default=())
