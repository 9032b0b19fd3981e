"""Runs nodes in the current process."""

from __future__ import annotations

from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class Local(Engine):
    """Computes every node in the current process, so that libraries and domains are loaded only once."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def execute(self, request: NodeRequest) -> None:
        request.execute()
