"""The interface of observers, which show the curves of a run elsewhere, and its input; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Points = Sequence[tuple[int, Mapping[str, float]]]
"""Steps in ascending order, each with its values by name."""


@dataclass(frozen=True, kw_only=True)
class ObservedRun:
    """A run that is observed.

    name: of the run's folder, unique among the protocol's runs. protocol: its name. folder: an existing folder inside
    of the run's for the observer's own files.
    """

    name: str
    protocol: str
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over steps: the metrics of one training, or the scores of one method.

    key: identifies the curve in this and every other run of the same protocol, with letters, digits and `-` only. name:
    for users, unique in the run. kind: `train`, `recover` or `merge` for metrics over optimizer steps; `scores` for the
    scores of a method by domain, over its steps, where 0 is the base model. seed: of the training or method. labels:
    what identifies the curve in words, such as `method`.
    """

    key: str
    name: str
    kind: str
    seed: int
    labels: Mapping[str, str] = field(default_factory=dict)


class Observer(ABC):
    """Shows the curves of a run elsewhere. It cannot change results, and no key depends on it.

    One process calls all methods, which may block: the run does not wait. An exception ends the observer for this run,
    and is reported; the next run of the protocol, or `harness watch`, continues where it stopped.

    live: whether `log` is called as points arrive. Otherwise it is called when a curve is complete, and at the end with
    what there is of the others.
    """

    live: bool = True

    @abstractmethod
    def start(self, run: ObservedRun) -> None:
        """Called once, before anything else. The run may have been observed before, and stopped."""

    @abstractmethod
    def log(self, curve: Curve, points: Points) -> None:
        """Adds points to a curve. Returns when they survive a kill of this process: they are not passed again.

        Several calls may have the same step of a curve, each with other names: the scores of each domain.
        """

    @abstractmethod
    def finish(self, curve: Curve) -> None:
        """Called when a curve is complete. It may be called again for the same curve in a later process."""

    @abstractmethod
    def close(self) -> None:
        """Called once at the end, also after an exception."""


__all__ = ["Curve", "ObservedRun", "Observer", "Points"]
