"""What steps ask of a Ray cluster, and whether it has that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import NodeRequest, UsageError
from harness_engines.ray.cluster import RayMachine


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a step asks for: cores and GPUs on each of some machines."""

    cpus: int
    gpus: int
    machines: int


def ask_of(request: NodeRequest, machines: Sequence[RayMachine]) -> Ask:
    """Returns what a step asks for. By default each of its processes gets a core, and a GPU if the cluster has any and
    the step is not a merge."""
    most = max((machine.gpus for machine in machines), default=0)
    return Ask(cpus=request.cpus, gpus=request.gpus_on(most), machines=request.resources.machines)


def check_asks(asks: Mapping[Ask, str], machines: Sequence[RayMachine]) -> None:
    """Raises UsageError if the whole cluster could not run one of the steps. asks: with the kind of step of each."""
    for ask, kind in asks.items():
        fitting = [machine for machine in machines if _fits(ask, machine)]
        if len(fitting) >= ask.machines:
            continue
        most_gpus = max((machine.gpus for machine in machines), default=0)
        most_cpus = max((machine.cpus for machine in machines), default=0)
        if ask.gpus > most_gpus:
            lack = f"{ask.gpus} GPUs, no machine of the Ray cluster has more than {most_gpus}"
        elif ask.cpus > most_cpus:
            lack = f"{ask.cpus} cores, no machine of the Ray cluster has more than {most_cpus}"
        else:
            lack = f"{ask.machines} machines, the Ray cluster has {len(fitting)} that suffice"
        message = f"a step of kind {kind} needs {lack}"
        raise UsageError(message, where="resources", hint="state fewer, or add machines to the cluster")


def slots_for(ask: Ask, machines: Sequence[RayMachine]) -> int:
    """Returns how many such steps the whole cluster can run at a time, at least 1."""
    rooms = [min(m.cpus // ask.cpus, m.gpus // ask.gpus if ask.gpus else m.cpus) for m in machines if _fits(ask, m)]
    return max(1, sum(rooms) // ask.machines)


def _fits(ask: Ask, machine: RayMachine) -> bool:
    return machine.gpus >= ask.gpus and machine.cpus >= ask.cpus
