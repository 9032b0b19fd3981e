"""The leaderboard as its own JSON record."""

from __future__ import annotations

from harness.plugin.config import NoConfig
from harness.plugin.interfaces import TableFormat
from harness.results.leaderboard import Leaderboard


class JsonRecord(TableFormat):
    """Renders everything that the record holds; `Leaderboard.read` reads it back."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        return leaderboard.to_json()
