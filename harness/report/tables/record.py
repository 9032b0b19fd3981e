"""The leaderboard as a JSON record."""

from __future__ import annotations

from harness.plugin.config import NoConfig
from harness.plugin.table_interface import TableFormat
from harness.results.leaderboard import Leaderboard


class JsonRecord(TableFormat):
    """Renders the complete record. `Leaderboard.read` reads it."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        return leaderboard.to_json()
