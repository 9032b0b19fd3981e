"""Runs each node in a child process, with the command that computes a node on any machine with the same files."""

from __future__ import annotations

from collections.abc import Sequence

from harness._util.child_process import run_child
from harness.execution.engines.threads import THREADS, Machine
from harness.plugin.capacity import Capacity
from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class ChildProcess(Engine):
    """Computes every node in a child process. Forwards the output and the error of the child."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config
        self._environment: dict[str, str] = {}

    def check(self, requests: Sequence[NodeRequest]) -> None:
        capacity = self.capacity(requests)
        capacity.check(requests)
        self._environment = {THREADS: str(capacity.cpus_per_process)}  # the same bytes as with `local`

    def capacity(self, requests: Sequence[NodeRequest]) -> Capacity:
        return Machine.here().capacity(requests, jobs=1)

    def execute(self, request: NodeRequest) -> None:
        run_child(request.arguments, label=request.label, environment=self._environment)
