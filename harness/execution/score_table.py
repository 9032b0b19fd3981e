"""The score table, a polars frame with one row per measurement of every checkpoint of every method.

A checkpoint has rows for each (method, seed, step) that contains it, and several steps may train the same domain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from harness._util.files import replacing
from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.planning.plan import Plan
from harness.results.item_scores import item_score
from harness.results.metrics import Score, mean

SCHEMA: dict[str, pl.DataType] = {
    "run": pl.String(),
    "method": pl.String(),
    "seed": pl.Int64(),
    "step": pl.Int64(),
    "checkpoint": pl.String(),
    "parent": pl.String(),
    "domain": pl.String(),
    "task": pl.String(),
    "metric": pl.String(),
    "filter": pl.String(),
    "value": pl.Float64(),
    "stderr": pl.Float64(),
    "n": pl.Int64(),
    "higher_is_better": pl.Boolean(),
    "task_hash": pl.String(),
    "primary": pl.Boolean(),
    "percent": pl.Boolean(),
    "limit": pl.Int64(),
    "batch_size": pl.Int64(),
    "eval_seed": pl.Int64(),
}


class ReadableStore(Protocol):
    """The interface of `harness.execution.store.Store` for reading scores."""

    def holds(self, key: str) -> bool: ...

    def path(self, key: str) -> Path: ...

    def read(self, key: str, name: str) -> bytes: ...


ROWS = "rows.json"


def collect_scores(plan: Plan, store: ReadableStore) -> pl.DataFrame:
    """Returns the score table (columns of `SCHEMA`) of all results in the store. A partial run has a partial table.

    `value` and `stderr` are the numbers of lm-eval. `percent`: tables show them times 100. Numbers that are not finite
    are null. Raises DamagedResult if a result has changed in the store, UsageError if one cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for method in plan.methods:
        for step, key in enumerate(method.lineage):
            place = {
                "run": plan.run_name,
                "method": method.name,
                "seed": method.seed,
                "step": step,
                "checkpoint": key,
                "parent": method.lineage[step - 1] if step else None,
            }
            rows.extend(place | row for row in measurements_of(plan, key, store))
    return pl.DataFrame(rows, schema=SCHEMA)


def measurements_of(plan: Plan, checkpoint: str, store: ReadableStore) -> Iterator[dict[str, Any]]:
    """Yields a row for each measurement of a checkpoint that is in the store, without the place of the checkpoint.
    Raises as `collect_scores`."""
    for domain, node in plan.scorings(checkpoint).items():
        if not store.holds(node.key):
            continue
        settings = {
            "domain": domain,
            "limit": node.settings.limit,
            "batch_size": node.settings.batch_size,
            "eval_seed": node.settings.seed,
        }
        for row in _measurements(store.read(node.key, ROWS), str(store.path(node.key) / ROWS)):
            yield settings | row


def scores_in(files: Mapping[str, Path]) -> Mapping[str, Score]:
    """Returns the scores of the domains of one checkpoint, from an evaluation's `rows.json` of each.

    Raises UsageError as `domain_scores` does; a domain without a score is left out.
    """
    place = dict.fromkeys(SCHEMA) | {"method": "", "seed": 0, "step": 0}
    rows = [
        place | {"domain": domain} | row
        for domain, path in files.items()
        for row in _measurements(path.read_bytes(), str(path))
    ]
    return domain_scores(pl.DataFrame(rows, schema=SCHEMA)).get(("", 0, 0), {})


def _measurements(content: bytes, where: str) -> list[dict[str, Any]]:
    try:
        read = parse_json(content)
        return [
            {
                "task": row["task"],
                "metric": row["metric"],
                "filter": row["filter"],
                "value": _finite(row["value"]),
                "stderr": _finite(row["stderr"]),
                "n": row["n"],
                "higher_is_better": row["higher_is_better"],
                "task_hash": row["task_hash"],
                "primary": row["primary"],
                "percent": row["percent"],
            }
            for row in read
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"these measurements cannot be read: {type(error).__name__}: {error}",
            where=where,
            hint="remove that folder of the store and run again; only this evaluation is repeated",
        ) from error


def _finite(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) else math.nan
    return number if math.isfinite(number) else None


def write_scores(frame: pl.DataFrame, path: Path) -> None:
    """Writes the table as parquet, atomically. Raises UsageError if `path` cannot be written."""
    with replacing(path) as temporary:
        frame.write_parquet(temporary)


def read_scores(path: Path, schema: Collection[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """Returns a table from `write_scores`, with the columns of `schema`. Raises UsageError if it is missing or lacks a
    column."""
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"this score table cannot be read: {error}", where=str(path)) from error
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise UsageError(f"this is not a score table: it lacks {', '.join(missing)}", where=str(path))
    return frame


def domain_scores(frame: pl.DataFrame) -> Mapping[tuple[str, int, int], Mapping[str, Score]]:
    """Returns the domains' scores by (method, seed, step).

    A domain's score is the mean of its primary rows, in percent if they are, with the interval over its items. Its
    standard error is sqrt(Σ stderr²) / rows, null if one is missing; n is the sum. A domain with a null value has no
    score. Raises UsageError if the primary rows of a domain differ in direction, because their mean is then undefined.
    """
    return scores_by(("method", "seed", "step"), frame)


def scores_by(place: Sequence[str], frame: pl.DataFrame) -> Mapping[tuple[Any, ...], Mapping[str, Score]]:
    """Returns the domains' scores as `domain_scores`, by the values of the columns `place`."""
    rows: dict[tuple[tuple[Any, ...], str], list[dict[str, Any]]] = {}
    for row in frame.filter(pl.col("primary")).iter_rows(named=True):
        rows.setdefault((tuple(row[column] for column in place), row["domain"]), []).append(row)
    scores: dict[tuple[Any, ...], dict[str, Score]] = {}
    for (at, domain), own in rows.items():
        if (score := _domain_score(domain, own)) is not None:
            scores.setdefault(at, {})[domain] = score
    return scores


def _domain_score(domain: str, rows: Sequence[Mapping[str, Any]]) -> Score | None:
    if len({row["higher_is_better"] for row in rows}) > 1:
        raise UsageError(
            f"the domain {domain!r} counts tasks where higher is better and tasks where lower is better",
            hint="their mean would mean nothing: make them two domains",
        )
    if any(row["value"] is None for row in rows):
        return None
    return mean([item_score(row["value"], row["stderr"], row["n"], percent=row["percent"]) for row in rows])
