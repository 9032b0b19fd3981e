"""The interface of table formats; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results.leaderboard import Leaderboard


class TableFormat(ABC):
    """Renders a leaderboard."""

    @abstractmethod
    def render(self, leaderboard: Leaderboard) -> str:
        """Returns the table as text in this format."""
