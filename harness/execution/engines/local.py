"""Steps in this process."""

from __future__ import annotations

from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import Engine, NodeRequest


class Local(Engine):
    """Makes every node in this process: what is loaded once, libraries and domains, stays loaded."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def execute(self, request: NodeRequest) -> None:
        request.execute()
