"""What engines have for nodes, and what each node takes of it: one rule for all engines; exported by `harness`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.plugin.engine_interface import NodeRequest


@dataclass(frozen=True, kw_only=True)
class MachineResources:
    """A machine that an engine can use, with everything that it has, used or not.

    cpus: the number of its cores. gpus: the number of its GPUs. name: for people, may be empty.
    """

    cpus: int
    gpus: int = 0
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a node takes while it runs.

    cpus: the cores on each of its machines. gpus: the GPUs on each of its machines. machines: on how many.
    """

    cpus: int = 1
    gpus: int = 0
    machines: int = 1

    def fits(self, machine: MachineResources) -> bool:
        """Whether an idle machine has what the node takes there."""
        return machine.cpus >= self.cpus and machine.gpus >= self.gpus


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What an engine has for nodes.

    place: the machines in messages, such as `the Ray cluster`. machines: all of them. slots: how many nodes run at a
    time even if there is room for more; None: no such limit. cpus_per_process: the cores of each process of a node for
    which the protocol states none.
    """

    place: str
    machines: Sequence[MachineResources]
    slots: int | None = None
    cpus_per_process: int = 1

    def demand(self, request: NodeRequest) -> Demand:
        """Returns what a node takes: what the protocol states, or for each of its processes its cores, as far as a
        machine has them, and a GPU. Without a statement, nodes take no GPU if no machine has one, and merges none."""
        stated = request.resources
        cpus = stated.processes * self.cpus_per_process
        gpus = stated.processes if self._most_gpus and request.kind != "merge" else 0
        return Demand(
            cpus=min(cpus, self._most_cpus or cpus) if stated.cpus is None else stated.cpus,
            gpus=gpus if stated.gpus is None else stated.gpus,
            machines=stated.machines,
        )

    def room_for(self, demand: Demand) -> int:
        """Returns how many nodes with this demand the idle machines can run at a time."""
        fitting = [machine for machine in self.machines if demand.fits(machine)]
        rooms = (
            min(machine.cpus // demand.cpus, machine.gpus // demand.gpus if demand.gpus else machine.cpus)
            for machine in fitting
        )
        return sum(rooms) // demand.machines if len(fitting) >= demand.machines else 0

    def check(self, requests: Sequence[NodeRequest]) -> None:
        """Raises UsageError if a node needs more than the idle machines have."""
        for demand, kind in {self.demand(request): request.kind for request in requests}.items():
            if not self.room_for(demand):
                message = f"a step of kind {kind} needs {self._lack(demand)}"
                raise UsageError(message, where="resources", hint="state fewer, or use an engine that has more")

    def _lack(self, demand: Demand) -> str:
        for needed, most, unit in ((demand.gpus, self._most_gpus, "GPU"), (demand.cpus, self._most_cpus, "core")):
            if needed > most:
                alone = len(self.machines) == 1
                has = f"{self.place} has" if alone else f"no machine of {self.place} has more than"
                return f"{_counted(needed, unit)}, {has} {most}"
        each = _counted(demand.cpus, "core") + (f" and {_counted(demand.gpus, 'GPU')}" if demand.gpus else "")
        if demand.machines == 1:
            return f"a machine with {each}, of which there is none"
        count = sum(map(demand.fits, self.machines))
        return f"{demand.machines} machines with {each} each, of which there {'is' if count == 1 else 'are'} {count}"

    @property
    def _most_cpus(self) -> int:
        return max((machine.cpus for machine in self.machines), default=0)

    @property
    def _most_gpus(self) -> int:
        return max((machine.gpus for machine in self.machines), default=0)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
