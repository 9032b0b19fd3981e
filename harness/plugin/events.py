"""What observer hooks are told: one frozen event each, made of plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run begins: its folder, how many nodes it has, and how many of them the store already holds."""

    protocol: str
    run: Path
    nodes: int
    done: int


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A node begins to execute: `kind` is train, recover, merge, evaluate or probe."""

    run: Path
    key: str
    kind: str
    label: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class StepFinished:
    """A node ended; `error` is empty when it succeeded, `seconds` its wall time."""

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
    """A run ended: its folder, how many nodes it executed, how many failed."""

    protocol: str
    run: Path
    executed: int
    failed: int
