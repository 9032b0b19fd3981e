"""The events passed to observer hooks: frozen dataclasses of plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run starts: its folder, the number of its nodes, and how many of them are already in the store."""

    protocol: str
    run: Path
    nodes: int
    done: int


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """The execution of a node starts: `kind` is train, recover, merge, evaluate or probe."""

    run: Path
    key: str
    kind: str
    label: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """A node has done `step` of `total` steps. `metrics`: those of this step, such as `reward` and `loss` of a
    training; empty for nodes without metrics."""

    run: Path
    key: str
    kind: str
    label: str
    seed: int
    step: int
    total: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepFinished:
    """The execution of a node ended; `error` is empty on success, `seconds` is the wall time."""

    run: Path
    key: str
    kind: str
    label: str
    seed: int
    seconds: float
    error: str = ""
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckpointScored:
    """A checkpoint was scored on one domain: `scores` maps `task/metric` to lm-eval's value."""

    run: Path
    key: str
    checkpoint: str
    domain: str
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run ended: its folder and the numbers of executed and failed nodes."""

    protocol: str
    run: Path
    executed: int
    failed: int
