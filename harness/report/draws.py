"""Means over seeds of values that have several random draws per seed."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.report.record import RunRecord
from harness.results.estimates import Estimate, estimate
from harness.results.metrics import Score

RANDOM = "random"
"""What the names of random controls begin with."""

Place = TypeVar("Place")


@dataclass(frozen=True, kw_only=True)
class MeanOfDraws:
    """A mean over seeds. draws: the most values per seed. count: the number of all values."""

    over_seeds: Estimate
    draws: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Drawn(Generic[Place]):
    """One value of a place, such as a bar, for one seed and draw."""

    place: Place
    seed: int
    value: float


def means_of_draws(values: Iterable[Drawn[Place]]) -> dict[Place, MeanOfDraws]:
    """Returns the mean of each place, in order. The draws of one seed start from the same model, so each seed counts
    once."""
    seen: dict[Place, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in values:
        seen[one.place][one.seed].append(one.value)
    return {
        place: MeanOfDraws(
            over_seeds=estimate([Score(math.fsum(draws) / len(draws), None, 0) for draws in by_seed.values()]),
            draws=max(map(len, by_seed.values())),
            count=sum(map(len, by_seed.values())),
        )
        for place, by_seed in seen.items()
    }


def rows_once(record: RunRecord) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yields the method, the seed and each row of the probes. Rows of methods that share their checkpoints are yielded
    once."""
    shown: dict[tuple[int, str], str] = {}
    for probe in record.probes:
        for row in probe.rows:
            same = (probe.seed, json.dumps([probe.probe, dict(probe.config), dict(row)], sort_keys=True))
            if shown.setdefault(same, probe.method) == probe.method:
                yield probe.method, probe.seed, row
