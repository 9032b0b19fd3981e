"""The order of computing results in parallel: the longest remaining path first.

The time of any such list schedule on m slots is at most 2 − 1/m times the optimum (Graham 1969, Bounds on
multiprocessing timing anomalies).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Parents = Mapping[str, Iterable[str]]
"""The results that each result needs, by key. Keys that are not in the mapping count as done."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The time to compute some results, in the unit of their durations.

    makespan: from the first start to the last end. work: the sum of all durations. critical_path: the keys of the
    longest chain of dependent results, in order. critical_length: its duration, a lower bound for any number of slots.
    """

    slots: int
    makespan: float
    work: float
    critical_path: tuple[str, ...]
    critical_length: float


class Frontier:
    """The results that can be started now. Results with equal remaining paths are in the order of `parents`."""

    def __init__(self, parents: Parents, durations: Mapping[str, float]) -> None:
        self._missing = {key: {parent for parent in needed if parent in parents} for key, needed in parents.items()}
        self._children: dict[str, list[str]] = {key: [] for key in parents}
        for key, needed in self._missing.items():
            for parent in needed:
                self._children[parent].append(key)
        self.remaining = _remaining(self._missing, self._children, durations)
        self._order = {key: index for index, key in enumerate(parents)}
        self._ready = [self._ranked(key) for key, needed in self._missing.items() if not needed]
        heapq.heapify(self._ready)

    def __bool__(self) -> bool:
        """Whether a result can be started now."""
        return bool(self._ready)

    def next(self) -> str:
        """Returns the key of the next result to start. Raises IndexError if none can be started."""
        return heapq.heappop(self._ready)[-1]

    def done(self, key: str) -> None:
        """Marks the result as computed, which unblocks the results that need it."""
        for child in self._children[key]:
            self._missing[child].discard(key)
            if not self._missing[child]:
                heapq.heappush(self._ready, self._ranked(child))

    def children(self, key: str) -> list[str]:
        """Returns the keys of the results that directly need this one."""
        return list(self._children[key])

    def _ranked(self, key: str) -> tuple[float, int, str]:
        return -self.remaining[key], self._order[key], key


def schedule(parents: Parents, durations: Mapping[str, float], slots: int) -> Schedule:
    """Returns the schedule of all results in `parents` on `slots` slots.

    durations: by key. Raises ValueError for fewer than one slot or a dependency cycle.
    """
    if slots < 1:
        raise ValueError(f"{slots} slots")
    frontier = Frontier(parents, durations)
    running: list[tuple[float, str]] = []
    now = 0.0
    while frontier or running:
        while frontier and len(running) < slots:
            key = frontier.next()
            heapq.heappush(running, (now + durations[key], key))
        now, ended = heapq.heappop(running)
        frontier.done(ended)
    path = _critical_path(frontier)
    return Schedule(
        slots=slots,
        makespan=now,
        work=sum(durations[key] for key in parents),
        critical_path=path,
        critical_length=frontier.remaining[path[0]] if path else 0.0,
    )


def _remaining(
    missing: Mapping[str, set[str]], children: Mapping[str, list[str]], durations: Mapping[str, float]
) -> dict[str, float]:
    """Returns for each result the duration of the longest chain that starts with it."""
    waiting = {key: len(below) for key, below in children.items()}
    ends = [key for key, count in waiting.items() if not count]
    found: dict[str, float] = {}
    while ends:
        key = ends.pop()
        found[key] = durations[key] + max((found[child] for child in children[key]), default=0.0)
        for parent in missing[key]:
            waiting[parent] -= 1
            if not waiting[parent]:
                ends.append(parent)
    if len(found) < len(missing):
        raise ValueError(f"these results depend on each other: {sorted(set(missing) - set(found))}")
    return found


def _critical_path(frontier: Frontier) -> tuple[str, ...]:
    keys = list(frontier.remaining)
    path = []
    while keys:
        longest = max(keys, key=lambda key: frontier.remaining[key])
        path.append(longest)
        keys = frontier.children(longest)
    return tuple(path)
