"""What runs in the processes of Ray: a worker that computes nodes, and a look at the files."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import NodeWorker

Machine = tuple[int, str, int]
"""One of several machines that compute a node: its rank, and the address and port of the first one."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Which files a machine sees."""

    store: bool
    protocol: bool


def look_at(token: str, protocol: str) -> Look:
    """Returns whether this machine sees the token in the store with its content, and the protocol."""
    file = Path(token)
    seen = file.is_file() and file.read_text(encoding="utf-8") == file.name
    return Look(store=seen, protocol=Path(protocol).is_file())


class RayWorker:
    """An actor that computes nodes in a process of its own, which imports the libraries once.

    command: `harness exec-worker …`. environment: variables for its process, beside those of the actor. logs: the
    folder for its output.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], logs: str) -> None:
        self._logs = Path(logs)
        self._command = [sys.executable, *command[1:]]
        self._environment = {**environment, "CUDA_VISIBLE_DEVICES": _visible_gpus()}
        self._worker: NodeWorker | None = None

    def host(self) -> str:
        """Returns the address of its machine."""
        import ray

        return str(ray.util.get_node_ip_address())

    def name(self) -> str:
        """Returns a name for people: its machine and its process."""
        return f"{socket.gethostname()}-{os.getpid()}"

    def free_port(self) -> int:
        """Returns a port of its machine that nothing listens on."""
        with socket.socket() as free:
            free.bind(("", 0))
            return int(free.getsockname()[1])

    def compute(self, key: str, label: str, machine: Machine | None) -> Iterator[Mapping[str, Any]]:
        """Computes a node and yields the messages of its process. machine: of a node on several machines."""
        if self._worker is None or not self._worker.alive:
            self._logs.mkdir(parents=True, exist_ok=True)
            log = self._logs / f"{self.name()}.log"
            self._worker = NodeWorker(self._command, environment=self._environment, machine=machine, log=log)
        yield from self._worker.messages(key, label)

    def compute_part(self, key: str, label: str, machine: Machine) -> bool:
        """Computes this machine's part of a node that another actor stores. Returns whether it failed."""
        *_, last = self.compute(key, label, machine)
        return last["event"] == "failed"


def _visible_gpus() -> str:
    import ray

    return ",".join(map(str, ray.get_gpu_ids()))
