"""The number and the look of each method: the same colour in all figures, grey for random controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results.leaderboard import Leaderboard, RecoveryResult

RANDOM = "random"
"""The setting value of a control. It controls a recovery that differs only in this setting."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A recovery and its control, each with the name of its method."""

    method: str
    result: RecoveryResult
    control: tuple[str, RecoveryResult] | None


def paired(leaderboard: Leaderboard) -> list[Pair]:
    """Returns every recovery with its random control. A control of no recovery is listed on its own."""
    found = [(row.method, one) for row in leaderboard.rows for one in row.recoveries]
    pairs = [
        Pair(
            method=method,
            result=one,
            control=next(((name, other) for name, other in found if _is_control(other, one)), None),
        )
        for method, one in found
    ]
    taken = [pair.control[1] for pair in pairs if pair.control is not None]
    return [pair for pair in pairs if not any(pair.result is one for one in taken)]


def _is_control(other: RecoveryResult, one: RecoveryResult) -> bool:
    same = (other.plugin, other.target, other.step) == (one.plugin, one.target, one.step)
    return same and _only_drawn(other.config, one.config)


def _only_drawn(control: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    differing = [key for key in {*control, *config} if control.get(key) != config.get(key)]
    return len(differing) == 1 and control.get(differing[0]) == RANDOM


def method_numbers(leaderboard: Leaderboard) -> dict[str, int]:
    """Returns the number of each method, by which the page highlights and hides it."""
    return {row.method: place for place, row in enumerate(leaderboard.rows)}


def method_looks(leaderboard: Leaderboard) -> dict[str, int | None]:
    """Returns the look of each method: None for a method that is the random control of another one."""
    controls = {pair.control[0] for pair in paired(leaderboard) if pair.control is not None}
    coloured = [row.method for row in leaderboard.rows if row.method not in controls]
    return {row.method: None for row in leaderboard.rows} | {name: place for place, name in enumerate(coloured)}


def first_rows(names: Sequence[str], most: int) -> tuple[Sequence[str], str]:
    """Returns the first `most` names, and a sentence for the caption if there are more."""
    if len(names) <= most:
        return names, ""
    return names[:most], f" Only the first {most} of {len(names)} are drawn; the table has all."
