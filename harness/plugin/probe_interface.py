"""The interface of probes and its input; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.plugin.artifacts import ArtifactCache, FormerlyShared
from harness.plugin.interfaces import LineageEntry, Progress, TrainingDomain
from harness.plugin.start_check import ChecksStart


@dataclass(frozen=True, kw_only=True)
class ProbeContext(FormerlyShared):
    """The input of a probe.

    lineage: the checkpoints of one method, base first. domains: the domains of the protocol, by name. scratch: a
    folder that survives a killed process, for resuming. seed: the seed of all random draws. progress: call it to
    report progress. score: evaluates the model in a folder and returns its score per
    domain, as in the leaderboard; None unless the probe's spec sets `scores`. cache: a cache for measurements; None
    outside a run. states: model folders within the recoveries that train, by the step in the lineage and the number of
    optimizer steps; as often as the config's `reads_states` asks, for algorithms whose spec sets `states`.
    """

    lineage: Sequence[LineageEntry]
    domains: Mapping[str, TrainingDomain]
    scratch: Path
    seed: int
    progress: Progress
    score: Callable[[Path], Mapping[str, float]] | None = None
    cache: ArtifactCache | None = None
    states: Mapping[int, Mapping[int, Path]] = field(default_factory=dict)


class Probe(ChecksStart, ABC):
    """Measures the checkpoints of a method."""

    @abstractmethod
    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        """Returns one row of plain JSON data per measurement. All rows have the same keys, which include the units."""
