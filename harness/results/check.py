"""Consistency checks of a leaderboard record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.results.leaderboard import Leaderboard, MeanCost, Row
from harness.results.ranks import is_complete, ranked
from harness.results.rebuild import rebuilt


def _is_mean(cost: MeanCost | None, costs: Sequence[MeanCost]) -> bool:
    mean = MeanCost.of(costs)
    if cost is None or mean is None:
        return False
    return all(
        math.isclose(getattr(cost, field), getattr(mean, field), rel_tol=1e-6) for field in MeanCost.model_fields
    )


class Contradiction(NamedTuple):
    """A number of a record that does not follow from its scores. text: in one line, with the method."""

    where: str
    expected: str
    found: str
    text: str


def inconsistencies(leaderboard: Leaderboard) -> list[str]:
    """Returns the inconsistencies of a record, one line each.

    Checks columns, seeds, averages, ranks and footnotes first. If these are consistent, every interval and metric is
    recomputed from the scores per seed and compared. Nothing is measured again, so a consistent record may still be
    wrong.
    """
    return [one.text for one in contradictions(leaderboard)]


def contradictions(leaderboard: Leaderboard) -> list[Contradiction]:
    """Returns what `inconsistencies` does, with the expected number apart from the one that was found."""
    return [Contradiction(where, "consistency", text, text) for where, text in _plain(leaderboard)] or [
        Contradiction(
            f"{row.method}, {path}",
            _text(expected),
            _text(stored),
            f"{row.method}: {path} is {_text(stored)}, but the scores give {_text(expected)}",
        )
        for row, path, stored, expected in _not_derived(leaderboard)
    ]


def _plain(leaderboard: Leaderboard) -> Iterator[tuple[str, str]]:
    """Yields the method and the text of each inconsistency that shows without computing intervals."""
    strange = sorted({*leaderboard.evaluation_only, *leaderboard.in_average} - set(leaderboard.columns))
    if strange:
        yield "columns", f"evaluation-only columns {', '.join(strange)}, which are not columns"
    for row in leaderboard.rows:
        for text in _of_row(leaderboard, row):
            yield row.method, f"{row.method}{text}"
    expected = {row.method: row.rank for row in ranked(leaderboard.rows, leaderboard.roles.ranked)}
    for row in leaderboard.rows:
        if row.rank != expected[row.method]:
            yield row.method, f"{row.method}: rank {row.rank}, but its average gives rank {expected[row.method]}"
        if not _seeds_agree(row):
            yield row.method, f"{row.method}: the numbers per seed in the trajectory do not match its seeds"


def _of_row(leaderboard: Leaderboard, row: Row) -> Iterator[str]:
    unknown = sorted(set(row.scores) - set(leaderboard.columns))
    if unknown:
        yield f": scores on {', '.join(unknown)}, which are not columns"
    seeds = 1 if row.reference else len(row.seeds)
    for column, score in row.scores.items():
        known = [value for value in score.per_seed if value is not None]
        if len(score.per_seed) != seeds or len(score.stderr) != seeds:
            yield f", {column}: {len(score.per_seed)} numbers for {seeds} seeds"
        elif score.mean is not None and (not known or abs(sum(known) / len(known) - score.mean) > 1e-6):
            yield f", {column}: the mean {score.mean} is not the mean of its seeds"
    for name, one in row.metrics.items():
        if name not in leaderboard.metrics or len(one.per_seed) not in (0, seeds):
            yield f": {name} is not a metric of the leaderboard, or lacks a number for a seed"
    means = [row.scores[column].mean for column in leaderboard.averaged if column in row.scores]
    values = [mean for mean in means if mean is not None]
    complete = bool(values) and len(values) == len(leaderboard.averaged) and is_complete(row, leaderboard.averaged)
    if row.average.mean is not None and complete and abs(sum(values) / len(values) - row.average.mean) > 1e-6:
        yield f": the average {row.average.mean} is not the mean of its columns"
    if row.seed_costs and (len(row.seed_costs) != len(row.seeds) or not _is_mean(row.cost, row.seed_costs)):
        yield ": the cost is not the mean of its seeds' costs"
    if any(not 1 <= footnote <= len(leaderboard.notes) for footnote in row.footnotes):
        yield ": a footnote that does not exist"


def _not_derived(leaderboard: Leaderboard) -> Iterator[tuple[Row, str, Any, Any]]:
    """Yields the differences from a record that is recomputed from the same scores: stored number, then expected."""
    computed = {row.method: row for row in rebuilt(leaderboard).rows}
    for row in leaderboard.rows:
        again = computed[row.method].model_dump(mode="json")
        for path, stored, expected in _differing(row.model_dump(mode="json"), again, ""):
            yield row, path, stored, expected


def _seeds_agree(row: Row) -> bool:
    seeds = 1 if row.reference else len(row.seeds)
    scored = [(seeds if len(s.checkpoints) > 1 else 1, one) for s in row.trajectory for one in s.scores.values()]
    scored += [(seeds, peak) for one in row.recoveries for peak in one.peaks.values()]
    return all(len(one.per_seed) == len(one.stderr) == count for count, one in scored)


def _differing(stored: Any, expected: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stored, dict) and isinstance(expected, dict):
        for key in dict.fromkeys((*stored, *expected)):
            yield from _differing(stored.get(key), expected.get(key), f"{path}.{key}" if path else key)
    elif isinstance(stored, list) and isinstance(expected, list) and len(stored) == len(expected):
        for place, (one, other) in enumerate(zip(stored, expected, strict=True)):
            yield from _differing(one, other, f"{path}.{place}")
    elif isinstance(stored, float) and isinstance(expected, float):
        if not math.isclose(stored, expected, rel_tol=1e-6, abs_tol=1e-9):
            yield path, stored, expected
    elif stored != expected:
        yield path, stored, expected


def _text(value: Any) -> str:
    return "missing" if value is None else str(value)
