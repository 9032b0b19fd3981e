"""The events passed to observer hooks: frozen dataclasses of plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run starts.

    protocol: the name of the protocol. run: the folder of the run. nodes: the number of nodes in the plan. done: how
    many of them are already in the store.
    """

    protocol: str
    run: Path
    nodes: int
    done: int


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """The execution of a node starts.

    run: the folder of the run. key: the key of the node. kind: `train`, `recover`, `merge`, `state`, `evaluate` or
    `probe`. label: the name of the node in messages. seed: the seed of the run that the node belongs to.
    """

    run: Path
    key: str
    kind: str
    label: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class StepProgress:
    """A node has done some of its steps.

    run: the folder of the run. key: the key of the node. kind: `train`, `recover`, `merge`, `state`, `evaluate` or
    `probe`. label: the name of the node in messages. seed: the seed of the run that the node belongs to. step: the
    number of steps that are done. total: the number of steps. metrics: the metrics of this step, such as `reward` and
    `loss` of a training; empty for nodes without metrics.
    """

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
    """The execution of a node ended.

    run: the folder of the run. key: the key of the node. kind: `train`, `recover`, `merge`, `state`, `evaluate` or
    `probe`. label: the name of the node in messages. seed: the seed of the run that the node belongs to. seconds: the
    wall time. error: the message of the failure; empty on success. report: the report of the step.
    """

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
    """A checkpoint was scored on one domain.

    run: the folder of the run. key: the key of the evaluation. checkpoint: the key of its node.
    domain: the name of the domain. scores: lm-eval's values by `task/metric`.
    """

    run: Path
    key: str
    checkpoint: str
    domain: str
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run ended.

    protocol: the name of the protocol. run: the folder of the run. executed: the number of executed nodes. failed: the
    number of failed nodes.
    """

    protocol: str
    run: Path
    executed: int
    failed: int
