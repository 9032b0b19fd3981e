"""The leaderboard: a versioned record of what a run found, read strictly, ranked by the average."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.published import PublishedTable
from harness.statistics import Estimate

SCHEMA_VERSION = 1


class Record(BaseModel):
    """Frozen data that refuses unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class MeasuredTask(Record):
    """One of the lm-eval numbers that make a column; `task_hash` is lm-eval's digest of its prompts and answers."""

    task: str
    metric: str
    filter: str
    task_hash: str | None


class Measurement(Record):
    """How a column was measured. limit: items a task, None for all. seed: of the sampled answers."""

    tasks: tuple[MeasuredTask, ...]
    higher_is_better: bool
    percent: bool
    limit: int | None
    batch_size: int
    seed: int


class MeanCost(Record):
    """What a method or a step cost, the mean over seeds, or for one seed."""

    optimizer_steps: float
    completions: float
    generated_tokens: float
    train_seconds: float

    @classmethod
    def of(cls, costs: Sequence[MeanCost]) -> MeanCost | None:
        """Returns the mean of several seeds' costs, None of none."""
        if not costs:
            return None
        return cls(**{field: sum(getattr(one, field) for one in costs) / len(costs) for field in cls.model_fields})


class RecoveryResult(Record):
    """A recovery of `target` at `step` by `plugin`.

    peak, damaged, recovered: the target's score right after its own training, before, and after the recovery. ratio:
    see `harness.metrics.recovery_ratio`. retention_*: shares of the peak. collateral, net: what the other domains lost,
    and how they changed. cost: of this step alone.
    """

    step: int
    plugin: str
    config: dict[str, Any]
    target: str
    peak: Estimate
    damaged: Estimate
    recovered: Estimate
    ratio: Estimate
    retention_damaged: Estimate
    retention_recovered: Estimate
    collateral: Estimate
    net: Estimate
    cost: MeanCost | None


class TrajectoryStep(Record):
    """A checkpoint of a method: its step's label, what the step trained or recovered, and its scores by column.

    checkpoints: the store's keys in the order of the row's seeds; a single one where all seeds share it (the base).
    """

    step: int
    label: str
    trained: tuple[str, ...]
    recovered: str | None
    checkpoints: tuple[str, ...]
    scores: dict[str, Estimate]
    average: Estimate


class Row(Record):
    """A method. `reference` rows (the base model) and rows that lack a score have no rank.

    definition: a digest of what the method does apart from its seed; two rows with the same one are the same method.
    forgetting, backward_transfer: means over the domains that a later training could have harmed; see harness.metrics.
    recovery: the method's last recovery; `earlier_recoveries` holds those before it. seed_costs: each seed's cost, in
    the order of `seeds`; empty where one is not known. footnotes: from 1, into `notes`.
    """

    method: str
    reference: bool = False
    definition: str
    seeds: tuple[int, ...]
    scores: dict[str, Estimate]
    average: Estimate
    rank: int | None = None
    recovery: RecoveryResult | None = None
    earlier_recoveries: tuple[RecoveryResult, ...] = ()
    forgetting: Estimate
    forgetting_by_domain: dict[str, Estimate]
    backward_transfer: Estimate
    cost: MeanCost | None
    seed_costs: tuple[MeanCost, ...] = ()
    trajectory: tuple[TrajectoryStep, ...]
    footnotes: tuple[int, ...] = ()

    @property
    def recoveries(self) -> tuple[RecoveryResult, ...]:
        """All recoveries of the method, in the order of its steps."""
        return (*self.earlier_recoveries, *([self.recovery] if self.recovery else []))


class Leaderboard(Record):
    """All rows of a run, or of several. columns: the domains. published: rows of papers, shown apart, never ranked."""

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schema")
    protocol: str
    model: str
    seeds: tuple[int, ...]
    columns: tuple[str, ...]
    measurement: dict[str, Measurement]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)
    published: tuple[PublishedTable, ...] = ()

    @property
    def averaged(self) -> tuple[str, ...]:
        """The columns that the average is over: those where higher is better."""
        return tuple(column for column in self.columns if self.higher_is_better(column))

    def higher_is_better(self, column: str) -> bool:
        """Returns the column's direction; a column that was never measured counts as higher is better."""
        return column not in self.measurement or self.measurement[column].higher_is_better

    def row(self, method: str) -> Row:
        """Returns the method's row. Raises UsageError naming the methods there are."""
        for row in self.rows:
            if row.method == method:
                return row
        raise UsageError(
            f"there is no method {method!r} in {self.protocol}",
            hint=f"the methods are {', '.join(row.method for row in self.rows)}",
        )

    def to_json(self) -> str:
        """Returns the record as indented JSON with a final newline."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Leaderboard:
        """Returns the record in a file. Raises UsageError where it is missing, malformed, or of a newer schema."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"this leaderboard cannot be read: {error}", where=str(path)) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, where: str) -> Leaderboard:
        """Returns the record in `text`; `where` names its source in errors. Raises UsageError as `read` does."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise UsageError(f"this is not JSON: {error}", where=where) from error
        version = data.get("schema") if isinstance(data, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise UsageError("this is not a leaderboard: it has no schema number", where=where)
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"this leaderboard has schema {version}, this harness reads up to {SCHEMA_VERSION}",
                where=where,
                hint="install a newer mdrl-harness",
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
            more = [f"and {len(faults) - 8} more"] if len(faults) > 8 else []
            raise UsageError(
                "this leaderboard is malformed:\n  " + "\n  ".join(faults[:8] + more), where=where
            ) from error


def is_complete(row: Row, columns: Sequence[str]) -> bool:
    """Returns whether every seed of the row has a score in every column."""
    return all(
        column in row.scores and row.scores[column].per_seed and None not in row.scores[column].per_seed
        for column in columns
    )


def ranked(rows: Sequence[Row], columns: Sequence[str]) -> tuple[Row, ...]:
    """Returns the rows with their ranks, best average first, then those without a rank, the reference last.

    Equal averages share a rank and the next one is skipped (1, 1, 3).
    """
    able = [row for row in rows if not row.reference and row.average.mean is not None and is_complete(row, columns)]
    means = {id(row): round(row.average.mean or 0.0, 9) for row in able}
    placed = [
        row.model_copy(update={"rank": 1 + sum(other > means[id(row)] for other in means.values())})
        for row in sorted(able, key=lambda row: -means[id(row)])
    ]
    rest = [row.model_copy(update={"rank": None}) for row in rows if id(row) not in means]
    return (*placed, *sorted(rest, key=lambda row: row.reference))


def _is_mean(cost: MeanCost | None, costs: Sequence[MeanCost]) -> bool:
    mean = MeanCost.of(costs)
    if cost is None or mean is None:
        return False
    return all(
        math.isclose(getattr(cost, field), getattr(mean, field), rel_tol=1e-6) for field in MeanCost.model_fields
    )


def inconsistencies(leaderboard: Leaderboard) -> list[str]:
    """Returns what contradicts itself in a record, one line each: columns, seeds, averages, ranks and footnotes.

    It does not measure anything again: a record without contradictions may still be wrong.
    """
    found = []
    for row in leaderboard.rows:
        strangers = sorted(set(row.scores) - set(leaderboard.columns))
        if strangers:
            found.append(f"{row.method}: scores on {', '.join(strangers)}, which are no columns")
        seeds = 1 if row.reference else len(row.seeds)
        for column, score in row.scores.items():
            known = [value for value in score.per_seed if value is not None]
            if len(score.per_seed) != seeds or len(score.stderr) != seeds:
                found.append(f"{row.method}, {column}: {len(score.per_seed)} numbers for {seeds} seeds")
            elif score.mean is not None and (not known or abs(sum(known) / len(known) - score.mean) > 1e-6):
                found.append(f"{row.method}, {column}: the mean {score.mean} is not that of its seeds")
        means = [row.scores[column].mean for column in leaderboard.averaged if column in row.scores]
        values = [mean for mean in means if mean is not None]
        complete = len(values) == len(leaderboard.averaged) and is_complete(row, leaderboard.averaged)
        if row.average.mean is not None and complete and abs(sum(values) / len(values) - row.average.mean) > 1e-6:
            found.append(f"{row.method}: the average {row.average.mean} is not that of its columns")
        if row.seed_costs and (len(row.seed_costs) != len(row.seeds) or not _is_mean(row.cost, row.seed_costs)):
            found.append(f"{row.method}: the cost is not the mean of its seeds' costs")
        if any(not 1 <= footnote <= len(leaderboard.notes) for footnote in row.footnotes):
            found.append(f"{row.method}: a footnote that is not there")
    expected = {row.method: row.rank for row in ranked(leaderboard.rows, leaderboard.columns)}
    for row in leaderboard.rows:
        if row.rank != expected[row.method]:
            found.append(f"{row.method}: rank {row.rank}, by its average it has {expected[row.method]}")
    return found
