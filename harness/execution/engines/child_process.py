"""Runs each node in a child process, with the command that computes a node on any machine with the same files."""

from __future__ import annotations

from collections.abc import Sequence

from harness._util.child_process import run_child
from harness.execution.engines.threads import THREADS, Machine, threads_of
from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class ChildProcess(Engine):
    """Computes every node in a child process. Forwards the output and the error of the child."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config
        self._environment: dict[str, str] = {}

    def check(self, requests: Sequence[NodeRequest]) -> None:
        self._environment = {THREADS: str(threads_of(requests, Machine.here()))}  # the same bytes as with `local`

    def execute(self, request: NodeRequest) -> None:
        run_child(request.arguments, label=request.label, environment=self._environment)
