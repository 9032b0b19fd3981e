"""All tables of a leaderboard, in the order in which every format shows them."""

from __future__ import annotations

from harness.report.tables.layout import TextTable, leaderboard_table, published_table, trajectory_table
from harness.report.tables.recoveries import recovery_table
from harness.results.leaderboard import Leaderboard


def text_tables(leaderboard: Leaderboard) -> list[TextTable]:
    """Returns the tables of the leaderboard, its recoveries (if any), its trajectories and published results."""
    tables = [leaderboard_table(leaderboard)]
    if any(row.recoveries for row in leaderboard.rows):
        tables.append(recovery_table(leaderboard))
    tables.append(trajectory_table(leaderboard))
    tables.extend(published_table(table) for table in leaderboard.published)
    return tables
