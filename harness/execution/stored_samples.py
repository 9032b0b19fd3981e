"""Reads the samples logged by lm-eval, in the same format for all tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from harness._util.json_reading import parse_json
from harness.execution.score_table import ROWS
from harness.execution.store import Store
from harness.results.flips import RIGHT_FROM, is_right

COLUMNS: dict[str, pl.DataType] = {
    "task": pl.String(),
    "item": pl.Int64(),
    "repeat": pl.Int64(),
    "prompt": pl.String(),
    "completion": pl.String(),
    "target": pl.String(),
    "score": pl.Float64(),
    "metric": pl.String(),
    "right": pl.Boolean(),
}


def samples_of(store: Store, key: str, right_from: float = RIGHT_FROM) -> Iterator[dict[str, Any]]:
    """Yields one row (with the columns `COLUMNS`) per item and completion of each primary task of the evaluation `key`.

    right_from: see `harness.results.flips.RIGHT_FROM`. Raises DamagedResult if a file has changed since it was stored.
    """
    primary = {row["task"]: row for row in parse_json(store.read(key, ROWS)) if row["primary"]}
    for task, row in primary.items():
        for line in store.read(key, f"samples_{task}.jsonl").splitlines():
            sample = parse_json(line)
            if sample["filter"] == row["filter"]:
                score = _score(sample.get(row["metric"]))
                right = is_right(score, higher_is_better=row["higher_is_better"], right_from=right_from)
                yield from _rows(sample, {"task": task, "metric": row["metric"], "score": score, "right": right})


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _rows(sample: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for repeat, completion in enumerate(_completions(sample["resps"])):
        yield {
            **shared,
            "item": sample["doc_id"],
            "repeat": repeat,
            "prompt": _prompt(sample["arguments"]),
            "completion": completion,
            "target": None if sample["target"] is None else str(sample["target"]),
        }


def _completions(responses: Sequence[Any]) -> list[str]:
    """Returns the generated texts, one per repeat; for log-likelihood tasks, all responses as one text."""
    texts = [one for request in responses for one in (request if isinstance(request, list) else [request])]
    return texts if all(isinstance(text, str) for text in texts) else [str(responses)]


def _prompt(arguments: Any) -> str:
    """Returns the prompt of a request."""
    first = next(iter(arguments.values())) if isinstance(arguments, Mapping) else arguments[0]
    prompt = next(iter(first.values())) if isinstance(first, Mapping) else first[0]
    return str(prompt)
