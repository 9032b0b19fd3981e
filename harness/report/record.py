"""What a report is made of: a run's leaderboard, and what its steps and probes left in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.prediction.kept import KeptPrediction
from harness.results.leaderboard import Leaderboard
from harness.results.probe_rows import ProbeRows


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What a training or recovery said of itself: `StepResult.report`. methods: those whose lineage holds the step."""

    methods: tuple[str, ...]
    seed: int
    step: int
    label: str
    report: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunState:
    """How far a run is. done, nodes: results in the store, and all. running: its log has a beginning and no end.

    stopped: why its last invocation ended early. failed: steps that failed in it. store_missing: nothing of the store
    was found beside the run, so that only its leaderboard is known.
    """

    done: int
    nodes: int
    running: bool = False
    stopped: str = ""
    failed: int = 0
    store_missing: bool = False


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as its report shows it. state: None for a kept record, which has no store. prediction: one of its
    trainings, None where none is kept. problems: what could not be read and is left out."""

    leaderboard: Leaderboard
    protocol: str
    provenance: Mapping[str, Any]
    steps: tuple[StepReport, ...] = ()
    probes: tuple[ProbeRows, ...] = ()
    state: RunState | None = None
    prediction: KeptPrediction | None = None
    problems: tuple[str, ...] = field(default=())
