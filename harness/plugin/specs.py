"""Specs: lightweight, frozen descriptions of plugins, yielded by registration hooks.

A spec names its implementation as `"module:attribute"`, which is imported on first use, so that listing plugins does
not import torch. The implementation is called with the validated config and returns an instance of the interface of
its kind (exported by `harness`). `config` is a pydantic model that forbids unknown keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.errors import PluginError

Need = Literal["gpu", "network", "executes-code"]
NEEDS: frozenset[str] = frozenset({"gpu", "network", "executes-code"})
NO_CONFIG = "harness.plugin.config:NoConfig"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The common fields: a name unique in its kind, a one-line summary, what to load, and the requirements to run."""

    kind: ClassVar[str]

    name: str
    summary: str
    load: str | Callable[[Any], Any]
    config: str | type[Any] = NO_CONFIG
    needs: frozenset[str] = frozenset()
    cite: str | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip().lower() or any(c in self.name for c in " /:@"):
            raise PluginError(
                f"{type(self).__name__} has the name {self.name!r}",
                hint="a name must be lower case, without spaces, '/', ':' and '@'",
            )
        for field in ("load", "config"):
            value = getattr(self, field)
            if isinstance(value, str) and value.count(":") != 1:
                raise PluginError(
                    f"{type(self).__name__} {self.name!r}: {field} is {value!r}",
                    hint="write it as 'package.module:attribute'",
                )
        unknown = set(self.needs) - NEEDS
        if unknown:
            raise PluginError(
                f"{type(self).__name__} {self.name!r} needs {', '.join(sorted(unknown))}",
                hint=f"needs must be a subset of {', '.join(sorted(NEEDS))}",
            )


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """A base model; loads into `BaseModel`."""

    kind: ClassVar[str] = "model"


@dataclass(frozen=True, kw_only=True)
class DomainSpec(Spec):
    """A domain; loads into `Domain`. reward: the name of its default reward. trains: whether it has training data; one
    without can only be an evaluation-only column."""

    kind: ClassVar[str] = "domain"

    reward: str
    trains: bool = True


@dataclass(frozen=True, kw_only=True)
class RewardSpec(Spec):
    """A reward; loads into `Reward`."""

    kind: ClassVar[str] = "reward"


@dataclass(frozen=True, kw_only=True)
class AlgorithmSpec(Spec):
    """A training algorithm; loads into `Algorithm`.

    With `replays` it receives the domains that the method trained before, as `TrainingContext.earlier`. With `states`
    it writes the model within the training, where `TrainingContext.states` asks for it, and its config declares its
    optimizer steps as `workload`.
    """

    kind: ClassVar[str] = "algorithm"

    replays: bool = False
    states: bool = False


@dataclass(frozen=True, kw_only=True)
class RecoverySpec(Spec):
    """A recovery; loads into `Recovery`.

    With `trains`, the other keys of the step configure a training algorithm, which the recovery receives as
    `RecoveryContext.train`. The step's key `algorithm` names it, else `algorithm` here, else the protocol's `train`
    section. With `several`, a step may name several targets, or `all`.
    """

    kind: ClassVar[str] = "recovery"

    trains: bool = False
    several: bool = False
    algorithm: str = ""


@dataclass(frozen=True, kw_only=True)
class MergeSpec(Spec):
    """A merge of experts trained from the same base; loads into `Merge`.

    With `trains`, the other keys of the step configure a training algorithm that learns from the experts, which the
    merge receives as `MergeContext.train`. `algorithm`: as for a recovery.
    """

    kind: ClassVar[str] = "merge"

    trains: bool = False
    algorithm: str = ""


@dataclass(frozen=True, kw_only=True)
class ProbeSpec(Spec):
    """A probe; loads into `Probe`.

    With `scores` it receives `ProbeContext.score`, which evaluates a model in the same way as a checkpoint. `keys` are
    the columns that identify a row: tables over seeds group by them and average the other columns. `repeat` is the
    column that numbers repeated measurements, if any.
    """

    kind: ClassVar[str] = "probe"

    scores: bool = False
    keys: tuple[str, ...] = ()
    repeat: str | None = None


@dataclass(frozen=True, kw_only=True)
class MetricSpec(Spec):
    """A metric of a method's scores, shown as a column of the leaderboard; loads into `Metric`.

    decimals: decimal places in tables.
    """

    kind: ClassVar[str] = "metric"

    higher_is_better: bool = True
    decimals: int = 1


@dataclass(frozen=True, kw_only=True)
class TableFormatSpec(Spec):
    """An output format of the leaderboard; loads into `TableFormat`."""

    kind: ClassVar[str] = "table-format"

    extension: str


@dataclass(frozen=True, kw_only=True)
class EngineSpec(Spec):
    """An execution backend for steps; loads into `Engine`."""

    kind: ClassVar[str] = "engine"


@dataclass(frozen=True, kw_only=True)
class ObserverSpec(Spec):
    """An observer, which shows the curves of a run elsewhere; loads into `Observer`."""

    kind: ClassVar[str] = "observer"


@dataclass(frozen=True, kw_only=True)
class ProtocolSpec:
    """A packaged protocol file, referred to by name."""

    kind: ClassVar[str] = "protocol"

    name: str
    summary: str
    path: Path
    cite: str | None = None


AnySpec = Spec | ProtocolSpec
