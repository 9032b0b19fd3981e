"""Checks the numbers of a leaderboard against each other and against its score table."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from harness._util.untrusted_file import read_untrusted
from harness.errors import HarnessError, UsageError
from harness.execution.run_folder import LEADERBOARD, SCORES
from harness.execution.score_table import domain_scores, read_scores
from harness.results.check import contradictions
from harness.results.leaderboard import Leaderboard
from harness.results.metrics import Score
from harness.verification.findings import Difference, Findings
from harness.verification.places import checkpoints_of, misplaced, title

_MOST = 20
_MOST_ROWS = 5_000_000
_LARGEST_TABLE = 2_000_000_000


def check_shape(leaderboard: Leaderboard, findings: Findings) -> bool:
    """Adds where the seeds, steps and scores of rows do not fit together. Returns whether they do; other checks need
    that."""
    found = [(f"{LEADERBOARD}: {where}", expected, stated) for where, expected, stated in misplaced(leaderboard)]
    findings.first_of(iter(found), _MOST)
    return not found


def check_numbers(leaderboard: Leaderboard, findings: Findings) -> None:
    """Adds the means, intervals, metrics, ranks and footnotes that do not follow from the scores."""
    found = contradictions(leaderboard)
    findings.first_of(((f"{LEADERBOARD}: {one.where}", one.expected, one.found) for one in found), _MOST)
    findings.done("means, intervals, metrics of the harness and ranks, from the scores of the seeds")


def read_table(folder: Path) -> pl.DataFrame:
    """Returns the score table of a record. Raises UsageError if it is not one, or is too large."""
    import pyarrow
    import pyarrow.parquet

    path = folder / SCORES
    try:
        # A few bytes of Parquet can stand for any number of rows.
        about = pyarrow.parquet.ParquetFile(BytesIO(read_untrusted(path))).metadata
        size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"this score table cannot be read: {error}", where=str(path)) from error
    if about.num_rows > _MOST_ROWS or size > _LARGEST_TABLE:
        raise UsageError(f"this score table is too large: {about.num_rows:,} rows, {size:,} bytes", where=str(path))
    return read_scores(path)


def check_table(leaderboard: Leaderboard, table: pl.DataFrame, findings: Findings) -> None:
    """Adds the scores of the leaderboard that are not those of the score table, and checkpoints in other places."""
    try:
        scores = domain_scores(table)
    except (HarnessError, TypeError, ValueError) as error:
        findings.fault(SCORES, "a score table", error)
        return
    keys = {
        (row["method"], row["seed"], row["step"]): row["checkpoint"]
        for row in table.select("method", "seed", "step", "checkpoint").unique().iter_rows(named=True)
    }
    findings.first_of(_differing(leaderboard, scores, keys), _MOST)
    findings.done(f"scores of the seeds, from {SCORES}")


def _differing(leaderboard: Leaderboard, scores: Any, keys: Any) -> Iterator[Difference]:
    anyone = {place[2]: place for place in keys if place[2] == 0}
    seen = set()
    for row in leaderboard.rows:
        for step, index, seed, checkpoint in checkpoints_of(row):
            named = [(row.method, one, step) for one in (row.seeds if seed is None else (seed,))]
            places = named if not row.reference else [anyone[0]] if 0 in anyone else []
            stated = row.trajectory[step].scores
            for place in places:
                seen.add(place)
                where = f"{LEADERBOARD}: {title(row.method, None if row.reference else place[1], step)}"
                if place not in keys and all(one.per_seed[index] is None for one in stated.values()):
                    continue  # not scored yet
                if keys.get(place) != checkpoint:
                    yield f"{where}, checkpoint", keys.get(place), checkpoint
                    continue
                for column in dict.fromkeys((*scores.get(place, {}), *stated)):
                    expected = scores.get(place, {}).get(column)
                    found = None
                    if column in stated and stated[column].per_seed[index] is not None:
                        found = stated[column].scores()[index]
                    yield from _score_differences(f"{where}, {column}", expected, found)
    for place in sorted(set(keys) - seen):
        yield f"{SCORES}: {title(*place)}", f"a checkpoint of {LEADERBOARD}", "another one"


def _score_differences(where: str, expected: Score | None, found: Score | None) -> Iterator[Difference]:
    if expected is None or found is None:
        if expected is not found:
            values = ["no score" if one is None else one.value for one in (expected, found)]
            yield where, values[0], values[1]
        return
    if not agree(expected.value, found.value):
        yield where, expected.value, found.value
    if not agree(expected.stderr, found.stderr):
        yield f"{where}, standard error", expected.stderr, found.stderr
    if expected.n != found.n:
        yield f"{where}, items", expected.n, found.n


def agree(one: float | None, other: float | None) -> bool:
    """Returns whether two numbers are equal but for rounding. Both may be missing."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-9 + 1e-9 * max(abs(one), abs(other))
