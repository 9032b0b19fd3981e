"""In which order results are computed where several are computed at a time: the longest remaining path first.

Graham (1969, Bounds on multiprocessing timing anomalies) bounds the time of any such list schedule on m slots by
2 − 1/m times the shortest possible.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Parents = Mapping[str, Iterable[str]]
"""What each result needs, by keys. Keys that are no keys of the mapping count as done."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What computing some results takes, in the unit of their durations.

    makespan: from the first start to the last end. work: the sum of all durations. critical_path: keys of the longest
    chain of results that need one another, in order. critical_length: its duration, below which no number of slots
    gets.
    """

    slots: int
    makespan: float
    work: float
    critical_path: tuple[str, ...]
    critical_length: float


class Frontier:
    """The results that can be started now, as others end. Equal remaining paths keep the order of `parents`."""

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
        """Whether anything can be started now."""
        return bool(self._ready)

    def next(self) -> str:
        """Returns the key of the result to start now. Raises IndexError where none can be started."""
        return heapq.heappop(self._ready)[-1]

    def done(self, key: str) -> None:
        """Says that the result is computed: what waited for it alone can be started."""
        for child in self._children[key]:
            self._missing[child].discard(key)
            if not self._missing[child]:
                heapq.heappush(self._ready, self._ranked(child))

    def children(self, key: str) -> list[str]:
        """Returns the keys of the results that need this one directly."""
        return list(self._children[key])

    def _ranked(self, key: str) -> tuple[float, int, str]:
        return -self.remaining[key], self._order[key], key


def schedule(parents: Parents, durations: Mapping[str, float], slots: int) -> Schedule:
    """Returns what computing all results of `parents` takes on so many slots.

    durations: by key. Raises ValueError for fewer than one slot or where results need one another in a circle.
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
    """Returns, for each result, the duration of the longest chain that begins with it."""
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
        raise ValueError(f"these results need one another: {sorted(set(missing) - set(found))}")
    return found


def _critical_path(frontier: Frontier) -> tuple[str, ...]:
    keys = list(frontier.remaining)
    path = []
    while keys:
        longest = max(keys, key=lambda key: frontier.remaining[key])
        path.append(longest)
        keys = frontier.children(longest)
    return tuple(path)
