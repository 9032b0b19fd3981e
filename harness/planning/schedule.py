"""The order of computing results in parallel: the longest remaining path first.

The time of any such list schedule on m slots is at most 2 − 1/m times the optimum (Graham 1969, Bounds on
multiprocessing timing anomalies). Where results also take cores and GPUs of machines, one for which there is no room
waits, and a later one that there is room for starts before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from harness.plugin.capacity import Demand, MachineResources

Parents = Mapping[str, Iterable[str]]
"""The results that each result needs, by key. Keys that are not in the mapping count as done."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The time to compute some results, in the unit of their durations.

    slots: how many were allowed at a time; None: as many as the machines have room for. at_once: how many ran at a time
    at most. makespan: from the first start to the last end. work: the sum of all durations. critical_path: the keys of
    the longest chain of dependent results, in order. critical_length: its duration, a lower bound for any number of
    slots.
    """

    slots: int | None
    at_once: int
    makespan: float
    work: float
    critical_path: tuple[str, ...]
    critical_length: float


def _anywhere(demand: Demand) -> bool:
    """Returns whether there is room for a result: always."""
    return True


class Frontier:
    """The results that can be started now. Results with equal remaining paths are in the order of `parents`.

    demands: what results take, by key; the others take what a `Demand` does by default.
    """

    def __init__(
        self, parents: Parents, durations: Mapping[str, float], demands: Mapping[str, Demand] | None = None
    ) -> None:
        self._demands = demands or {}
        self._missing = {key: {parent for parent in needed if parent in parents} for key, needed in parents.items()}
        self._children: dict[str, list[str]] = {key: [] for key in parents}
        for key, needed in self._missing.items():
            for parent in needed:
                self._children[parent].append(key)
        self.remaining = _remaining(self._missing, self._children, durations)
        self._order = {key: index for index, key in enumerate(parents)}
        self._ready: dict[Demand, list[tuple[float, int, str]]] = {}
        for key, needed in self._missing.items():
            if not needed:
                self._push(key)

    def __bool__(self) -> bool:
        """Whether a result can be started now."""
        return bool(self._ready)

    def next(self, room: Callable[[Demand], bool] = _anywhere) -> str | None:
        """Returns the key of the next result to start, None if there is none for which there is room."""
        fitting = [demand for demand in self._ready if room(demand)]
        if not fitting:
            return None
        demand = min(fitting, key=lambda demand: self._ready[demand][0])
        key = heapq.heappop(self._ready[demand])[-1]
        if not self._ready[demand]:
            del self._ready[demand]
        return key

    def done(self, key: str) -> None:
        """Marks the result as computed, which unblocks the results that need it."""
        for child in self._children[key]:
            self._missing[child].discard(key)
            if not self._missing[child]:
                self._push(child)

    def children(self, key: str) -> list[str]:
        """Returns the keys of the results that directly need this one."""
        return list(self._children[key])

    def _push(self, key: str) -> None:
        queue = self._ready.setdefault(self._demands.get(key, Demand()), [])
        heapq.heappush(queue, (-self.remaining[key], self._order[key], key))


class _Room:
    """The cores and GPUs that are free on each machine. Without machines there is always room."""

    def __init__(self, machines: Sequence[MachineResources]) -> None:
        self._cpus = [machine.cpus for machine in machines]
        self._gpus = [machine.gpus for machine in machines]

    def places(self, demand: Demand) -> list[int] | None:
        """Returns the first machines with room for a result, None if there are too few."""
        if not self._cpus:
            return []
        fitting = (
            index
            for index, (cpus, gpus) in enumerate(zip(self._cpus, self._gpus, strict=True))
            if cpus >= demand.cpus and gpus >= demand.gpus
        )
        found = list(islice(fitting, demand.machines))
        return found if len(found) == demand.machines else None

    def take(self, places: Iterable[int], demand: Demand, *, back: bool = False) -> None:
        """Takes what a result takes on each of the machines, or gives it back."""
        sign = 1 if back else -1
        for place in places:
            self._cpus[place] += sign * demand.cpus
            self._gpus[place] += sign * demand.gpus


def schedule(
    parents: Parents,
    durations: Mapping[str, float],
    slots: int | None,
    *,
    demands: Mapping[str, Demand] | None = None,
    machines: Sequence[MachineResources] = (),
) -> Schedule:
    """Returns the schedule of all results in `parents` with at most `slots` at a time.

    durations: by key. demands: what results take of `machines`, by key; without machines it does not matter. Raises
    ValueError for fewer than one slot, for a result that the idle machines have no room for, or a dependency cycle.
    """
    if slots is not None and slots < 1:
        raise ValueError(f"{slots} slots")
    takes = demands or {}
    frontier, room = Frontier(parents, durations, takes), _Room(machines)
    running: list[tuple[float, str]] = []
    taken: dict[str, list[int]] = {}
    now, at_once = 0.0, 0
    while frontier or running:
        while slots is None or len(running) < slots:
            key = frontier.next(lambda demand: room.places(demand) is not None)
            if key is None:
                break
            demand = takes.get(key, Demand())
            taken[key] = room.places(demand) or []
            room.take(taken[key], demand)
            heapq.heappush(running, (now + durations[key], key))
        if not running:
            raise ValueError("there is no room for some results on the idle machines")
        at_once = max(at_once, len(running))
        now, ended = heapq.heappop(running)
        room.take(taken.pop(ended), takes.get(ended, Demand()), back=True)
        frontier.done(ended)
    path = _critical_path(frontier)
    return Schedule(
        slots=slots,
        at_once=at_once,
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
