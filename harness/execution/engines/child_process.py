"""Runs each node in a child process, with the command that computes a node on any machine with the same files."""

from __future__ import annotations

from harness._util.child_process import run_child
from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class ChildProcess(Engine):
    """Computes every node in a child process. Forwards the output and the error of the child."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def execute(self, request: NodeRequest) -> None:
        run_child(request.arguments, label=request.label)
