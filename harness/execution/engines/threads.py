"""The number of threads of a process that computes nodes, and the number of such processes.

The bytes of a result may depend on the number of threads, because they share out the terms of a sum. It therefore
follows from the model and the machine alone, not from how many nodes are computed at a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness._util.processor import processor_here, visible_gpus
from harness.plugin.capacity import Capacity, MachineResources
from harness.plugin.engine_interface import NodeRequest

THREADS = "OMP_NUM_THREADS"
"""The environment variable of OpenMP for the number of threads. If the user sets it, it is not changed."""

SMALL_MODEL = 20_000_000
"""Below this number of parameters one thread per node and one node per core is faster than all cores for one node:
on the lab's model a second thread shortens a training to 0.7 of its time, a second node at the same time to 0.5."""

MEDIUM_MODEL = 200_000_000
"""Below this number two nodes at a time, with half of the cores each, are faster than all cores for one: for a model of
135 million parameters a second thread shortens a training to 0.7 of its time too. Scores of a checkpoint are then
computed beside the training that follows it."""

BYTES_OF_WORKER = 2 * 1024**3
"""The memory that `jobs: auto` expects for each process, beside the weights, gradients and AdamW's moments in fp32 and
as much again for activations: 6.3 GB for a model of 135 million parameters, of which a training took 6.4."""

SHORT_RUN_SECONDS = 60
"""Shorter runs, by their estimate, are computed in this process: a worker imports its libraries for several seconds."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is for nodes. gpus: the visible ones, as CUDA_VISIBLE_DEVICES names them. cores: usable by this
    process. memory_bytes: available; None if unknown."""

    gpus: tuple[str, ...]
    cores: int
    memory_bytes: int | None

    @classmethod
    def here(cls) -> Machine:
        """Returns this machine."""
        return cls(gpus=visible_gpus(), cores=processor_here().cores, memory_bytes=_available_memory())

    def threads(self, parameters: int | None) -> int:
        """Returns the number of threads for a node of a model with so many parameters."""
        if self.gpus or parameters is None or parameters >= MEDIUM_MODEL:
            return max(1, self.cores // max(1, len(self.gpus)))
        return 1 if parameters < SMALL_MODEL else max(1, self.cores // 2)

    def jobs(self, requests: Sequence[NodeRequest]) -> int:
        """Returns how many of the nodes to compute at a time: one per GPU; on the CPU, one per `threads` cores, as far
        as there is memory for them. One if the work is not worth the start of a worker."""
        expected = [request.expected_seconds for request in requests]
        if sum(seconds or 0 for seconds in expected) < SHORT_RUN_SECONDS and None not in expected:
            return 1
        parameters = requests[0].parameters if requests else None
        count = len(self.gpus) or self.cores // self.threads(parameters)
        if self.memory_bytes is not None and not self.gpus:
            count = min(count, self.memory_bytes // (BYTES_OF_WORKER + 32 * (parameters or 0)))
        return max(1, min(count, len(requests)))

    def capacity(
        self, requests: Sequence[NodeRequest], *, jobs: int | Literal["auto"], threads: int | None = None
    ) -> Capacity:
        """Returns what an engine has that computes `jobs` nodes at a time here, with `threads` each."""
        return Capacity(
            place="this machine",
            machines=[MachineResources(cpus=self.cores, gpus=len(self.gpus))],
            slots=self.jobs(requests) if jobs == "auto" else jobs,
            cpus_per_process=threads_of(requests, self, threads),
        )


def threads_of(requests: Sequence[NodeRequest], machine: Machine, stated: int | None = None) -> int:
    """Returns the number of threads of each node: as stated, as the user's environment says, or by the model's size."""
    return stated or _threads_of_user() or machine.threads(requests[0].parameters if requests else None)


def _threads_of_user() -> int | None:
    """Returns the number of threads that the user has set, None if there is none."""
    text = os.environ.get(THREADS, "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Computes with `count` threads in this process and the processes that it starts, for the block."""
    torch = sys.modules.get("torch")  # if it is not imported yet, the environment variable suffices
    before, variable = torch.get_num_threads() if torch is not None else None, os.environ.get(THREADS)
    os.environ[THREADS] = str(count)
    if torch is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if variable is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = variable
        if torch is not None:
            torch.set_num_threads(before)


def _available_memory(file: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None
