"""Steps in processes of their own, by the command that makes a node anywhere the same files are seen."""

from __future__ import annotations

from harness._util.child_process import run_child
from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class ChildProcess(Engine):
    """Makes every node in a child; passes on what the child prints, and its error as the child told it."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def execute(self, request: NodeRequest) -> None:
        run_child(request.arguments, label=request.label)
