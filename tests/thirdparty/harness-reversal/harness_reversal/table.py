"""The table format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import NoConfig, TableFormat

if TYPE_CHECKING:
    from harness.results.leaderboard import Leaderboard


class TabSeparated(TableFormat):
    """A header, then each method with its mean on every domain; empty where there is none."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        lines = [["method", *leaderboard.columns]]
        for row in leaderboard.rows:
            means = [row.scores[column].mean if column in row.scores else None for column in leaderboard.columns]
            lines.append([row.method, *("" if mean is None else f"{mean:.4f}" for mean in means)])
        return "".join("\t".join(cells) + "\n" for cells in lines)
