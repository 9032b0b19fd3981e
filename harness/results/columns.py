"""What each column of a leaderboard counts for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class ColumnRoles:
    """The columns of a table. averaged: those in the average. lower: those where lower is better. evaluation_only:
    those that no method trains."""

    columns: tuple[str, ...]
    averaged: tuple[str, ...]
    lower: frozenset[str]
    evaluation_only: frozenset[str]

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        *,
        lower: Collection[str] = (),
        evaluation_only: Collection[str] = (),
        in_average: Collection[str] = (),
    ) -> ColumnRoles:
        """Returns the roles. The average has the columns where higher is better, and of the evaluation-only ones those
        in `in_average`."""
        left_out = {*lower, *(set(evaluation_only) - set(in_average))}
        return cls(
            columns=tuple(columns),
            averaged=tuple(column for column in columns if column not in left_out),
            lower=frozenset(lower),
            evaluation_only=frozenset(evaluation_only),
        )

    @property
    def ranked(self) -> tuple[str, ...]:
        """The columns that a row needs for a rank: all except the evaluation-only ones outside the average."""
        return tuple(one for one in self.columns if one in self.averaged or one not in self.evaluation_only)

    def within(self, columns: Collection[str]) -> ColumnRoles:
        """Returns the same roles with only these columns in the average."""
        return replace(self, averaged=tuple(column for column in self.averaged if column in columns))
