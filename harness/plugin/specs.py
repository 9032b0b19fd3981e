"""What a registration hook yields: light, frozen descriptions of what a plugin offers.

A spec names its implementation as `"module:attribute"`, imported at first use, so that listing plugins never imports
torch. The implementation is called with one argument, the validated config, and returns the object that
`harness.plugin.interfaces` describes for its kind. `config` is a pydantic model that forbids unknown keys.
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
    """What every kind has: a name unique in its kind, a line of summary, what to load, and what it needs to run."""

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
                hint="a name is lower case and has no space, '/', ':' or '@' in it",
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
                hint=f"needs is a set of {', '.join(sorted(NEEDS))}",
            )


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """A base model; loads into `BaseModel`."""

    kind: ClassVar[str] = "model"


@dataclass(frozen=True, kw_only=True)
class DomainSpec(Spec):
    """A domain; loads into `Domain`. `reward` names the reward it is trained with unless a protocol says otherwise."""

    kind: ClassVar[str] = "domain"

    reward: str


@dataclass(frozen=True, kw_only=True)
class RewardSpec(Spec):
    """A reward; loads into `Reward`."""

    kind: ClassVar[str] = "reward"


@dataclass(frozen=True, kw_only=True)
class AlgorithmSpec(Spec):
    """A training algorithm; loads into `Algorithm`.

    With `replays` it is handed the domains that the method trained before, as `TrainingContext.earlier`.
    """

    kind: ClassVar[str] = "algorithm"

    replays: bool = False


@dataclass(frozen=True, kw_only=True)
class RecoverySpec(Spec):
    """A recovery; loads into `Recovery`.

    With `trains`, keys of the step that are not the recovery's own go to a training algorithm (the protocol's `train`
    defaults, or the one that the step's `algorithm` key names), and the recovery gets it as `RecoveryContext.train`.
    """

    kind: ClassVar[str] = "recovery"

    trains: bool = False


@dataclass(frozen=True, kw_only=True)
class MergeSpec(Spec):
    """A way to merge experts that were trained from one base; loads into `Merge`."""

    kind: ClassVar[str] = "merge"


@dataclass(frozen=True, kw_only=True)
class ProbeSpec(Spec):
    """A probe; loads into `Probe`.

    With `scores` it is handed `ProbeContext.score`, which scores a model of its own making as checkpoints are scored.
    `keys` are the columns that say what a row is of; tables over seeds put together the rows that agree in them, and
    average the other columns. `repeat` is the column, if any, that numbers several measurements of the same.
    """

    kind: ClassVar[str] = "probe"

    scores: bool = False
    keys: tuple[str, ...] = ()
    repeat: str | None = None


@dataclass(frozen=True, kw_only=True)
class MetricSpec(Spec):
    """A metric of a method's scores, a column of the leaderboard; loads into `Metric`.

    decimals: digits after the point in tables for people.
    """

    kind: ClassVar[str] = "metric"

    higher_is_better: bool = True
    decimals: int = 1


@dataclass(frozen=True, kw_only=True)
class TableFormatSpec(Spec):
    """A format of the leaderboard; loads into `TableFormat`."""

    kind: ClassVar[str] = "table-format"

    extension: str


@dataclass(frozen=True, kw_only=True)
class EngineSpec(Spec):
    """Where steps run; loads into `Engine`."""

    kind: ClassVar[str] = "engine"


@dataclass(frozen=True, kw_only=True)
class ProtocolSpec:
    """A packaged protocol file, found by its name."""

    kind: ClassVar[str] = "protocol"

    name: str
    summary: str
    path: Path
    cite: str | None = None


AnySpec = Spec | ProtocolSpec
