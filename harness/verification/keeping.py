"""What `harness leaderboard add` keeps of a run so that its record can be checked: definitions and samples."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness._util.json_reading import parse_json
from harness.execution.score_table import ROWS
from harness.execution.store import Store
from harness.planning.nodes import StateNode
from harness.planning.plan import Plan
from harness.verification.kept_lines import (
    DEFINITIONS,
    MANIFEST,
    SCHEMA,
    AnswersLine,
    Compressor,
    DefinitionLine,
    ItemLine,
    Manifest,
    compressed,
    samples_file,
)

_ITEM = ("doc_id", "doc", "target", "arguments", "doc_hash", "prompt_hash", "target_hash")


@dataclass
class KeptFiles:
    """The content of files by name below the record's folder, and why columns have no samples."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def kept_files(plan: Plan, store: Store, *, limit_mb: float, others: Mapping[str, bytes]) -> KeptFiles:
    """Returns the files for checks: the definitions of all results, the samples of each column, and the manifest.

    The same run gives the same bytes. limit_mb: samples of a column that take more when compressed are left out, in
    megabytes. others: further files for the manifest. Raises DamagedResult if a result has changed in the store.
    """
    kept = KeptFiles()
    kept.files[DEFINITIONS] = compressed(_definitions(plan))
    for column in plan.scored_names:
        try:
            kept.files[samples_file(column)] = _samples(plan, store, column, limit_mb * 1e6)
        except _LeftOut as reason:
            kept.left_out[column] = str(reason)
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in (*others.items(), *kept.files.items())}
    manifest = Manifest(schema_version=SCHEMA, files=dict(sorted(listed.items())), left_out=kept.left_out)
    kept.files[MANIFEST] = (manifest.model_dump_json(indent=1) + "\n").encode()
    return kept


class _LeftOut(Exception):
    """Why the samples of a column are not kept."""


def _left_out(limit: float) -> _LeftOut:
    return _LeftOut(f"they take more than {limit / 1e6:g} MB")


def _definitions(plan: Plan) -> Iterator[DefinitionLine]:
    columns: dict[str, list[str]] = {}
    for scorings in plan.evaluations.values():
        for column, key in scorings.items():
            columns.setdefault(key, [])
            if column not in columns[key]:
                columns[key].append(column)
    for key in plan.nodes:
        yield DefinitionLine(key=key, definition=plan.definition_of(key), columns=columns.get(key, []))


def _samples(plan: Plan, store: Store, column: str, limit: float) -> bytes:
    numbers: dict[str, int] = {}
    file = Compressor()
    written: set[str] = set()
    for checkpoint, scorings in plan.evaluations.items():
        key = scorings[column]
        if isinstance(plan.nodes[checkpoint], StateNode):
            continue  # the score table has no models within trainings
        if key in written or not store.holds(key):
            continue
        written.add(key)
        for line in _evaluation(store, key, numbers):
            file.add(line)
            if file.size > limit:
                raise _left_out(limit)
    if not written:
        raise _LeftOut("it was not scored")
    content = file.finish()
    if len(content) > limit:
        raise _left_out(limit)
    return content


def _evaluation(store: Store, key: str, numbers: dict[str, int]) -> Iterator[ItemLine | AnswersLine]:
    """Yields the new items of an evaluation, and its answers to each task. numbers: of the items so far, by content."""
    rows = store.read_json(key, ROWS)
    for task in dict.fromkeys(row["task"] for row in rows):
        name = f"samples_{task}.jsonl"
        if not (store.path(key) / name).is_file():
            raise _LeftOut("the store has none")
        samples = [parse_json(line) for line in store.read(key, name).splitlines()]
        first = samples[0]["filter"] if samples else ""
        items = []
        for sample in (one for one in samples if one["filter"] == first):
            content = {"task": task} | {part: sample[part] for part in _ITEM}
            known = json.dumps(content, sort_keys=True)
            if known not in numbers:
                numbers[known] = len(numbers)
                yield ItemLine(item=numbers[known], **content)
            items.append(numbers[known])
        scores = _scores(samples)
        yield AnswersLine(
            evaluation=key,
            task=task,
            items=items,
            answers=[sample["resps"] for sample in samples if sample["filter"] == first],
            scores=scores,
            means=_means(scores, [row for row in rows if row["task"] == task]),
        )


def _scores(samples: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[Any]]]:
    """Returns the scores of the items by filter and metric, None for an item without the metric."""
    found: dict[str, dict[str, list[Any]]] = {}
    for name in dict.fromkeys(sample["filter"] for sample in samples):
        own = [sample for sample in samples if sample["filter"] == name]
        metrics = dict.fromkeys(metric for sample in own for metric in sample["metrics"])
        found[name] = {metric: [sample.get(metric) for sample in own] for metric in metrics}
    return found


def _means(
    scores: Mapping[str, Mapping[str, Sequence[Any]]], rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Returns by filter the metrics whose value is the mean over the items."""
    found: dict[str, list[str]] = {}
    for row in rows:
        mean = mean_of(scores.get(row["filter"], {}).get(row["metric"], ()))
        if mean is not None and math.isclose(mean, row["value"], rel_tol=1e-9, abs_tol=1e-12):
            found.setdefault(row["filter"], []).append(row["metric"])
    return found


def mean_of(values: Sequence[Any]) -> float | None:
    """Returns the mean of the items' scores, without items that lack the metric; None if they are not numbers."""
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(value, int | float) for value in known):
        return None
    return float(sum(known)) / len(known)
