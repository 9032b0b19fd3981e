"""The leaderboard as its own JSON record."""

from __future__ import annotations

from harness.interfaces import TableFormat
from harness.leaderboard import Leaderboard
from harness.plugin_config import NoConfig


class JsonRecord(TableFormat):
    """Renders everything that the record holds; `Leaderboard.read` reads it back."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        return leaderboard.to_json()
