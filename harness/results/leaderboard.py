"""The leaderboard: a versioned, strictly validated record of a run's results, ranked by the average."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness._util.json_reading import parse_json
from harness._util.untrusted_file import read_untrusted
from harness.errors import UsageError
from harness.results.columns import ColumnRoles
from harness.results.estimates import Estimate
from harness.results.published import PublishedTable

SCHEMA_VERSION = 2
"""Schema 1 had bootstrap intervals and no rank groups. It is read as schema 2; derived numbers are recomputed."""


class Record(BaseModel):
    """Frozen data. Unknown keys and wrong types are validation errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class MeasuredTask(Record):
    """One lm-eval metric that a column averages. task_hash: lm-eval's digest of the task's prompts and answers."""

    task: str
    metric: str
    filter: str
    task_hash: str | None


class Measurement(Record):
    """How a column was measured. limit: items per task, None for all. seed: the sampling seed of the answers. backend:
    what generated the answers, with its settings; `hf` without settings in records that do not name it."""

    tasks: tuple[MeasuredTask, ...]
    higher_is_better: bool
    percent: bool
    limit: int | None
    batch_size: int
    seed: int
    backend: str = "hf"


class MetricColumn(Record):
    """A column of a metric plugin: its identity and config. decimals: the number of decimals in tables."""

    plugin: str
    config: dict[str, Any] = Field(default_factory=dict)
    higher_is_better: bool
    decimals: int


class MeanCost(Record):
    """The cost of a method or a step: the mean over seeds, or the cost of one seed."""

    optimizer_steps: float
    completions: float
    generated_tokens: float
    train_seconds: float

    @classmethod
    def of(cls, costs: Sequence[MeanCost]) -> MeanCost | None:
        """Returns the mean over several seeds, None if there are none."""
        if not costs:
            return None
        return cls(**{field: sum(getattr(one, field) for one in costs) / len(costs) for field in cls.model_fields})


class ModelSize(Record):
    """The number of a model's parameters: all, and those that work on one token, fewer in a mixture of experts."""

    total: int
    active: int


class TargetResult(Record):
    """What a recovery did to a target.

    peak, damaged, recovered: the target's score after its own training, before the recovery, and after the recovery.
    damage: the target's loss since its peak. ratio: see `harness.results.estimates.estimate_recovery_ratio`. remark:
    set if the target was not damaged or its damage is not significant. retention_damaged, retention_recovered: the
    score before and after the recovery as a share of the peak.
    """

    peak: Estimate
    damaged: Estimate
    recovered: Estimate
    damage: Estimate = Estimate()
    ratio: Estimate
    remark: str = ""
    retention_damaged: Estimate
    retention_recovered: Estimate


class RecoveryResult(TargetResult):
    """A recovery of `target` at `step` by `plugin`.

    Successive recoveries with a target in common are one chain: the scores before the recovery are those before the
    first of them, and cost is that of the chain up to this step. collateral, net: the mean loss and the mean change of
    the domains that are no targets. targets: the numbers of each target, by name, if there are several. `target` then
    names all, and the numbers of the record are those of the means over the targets where higher is better.
    """

    step: int
    plugin: str
    config: dict[str, Any]
    target: str
    collateral: Estimate
    net: Estimate
    cost: MeanCost | None
    targets: dict[str, TargetResult] = Field(default_factory=dict)

    @property
    def peaks(self) -> dict[str, Estimate]:
        """The score of each target after its own training."""
        return {name: one.peak for name, one in self.targets.items()} or {self.target: self.peak}


class TrajectoryStep(Record):
    """A checkpoint of a method: the label of its step, the domains trained or recovered, and the scores by column.

    recovered: the domain, or several; None if the step is not a recovery.
    checkpoints: store keys in the order of the row's seeds, or a single key if all seeds share the checkpoint (base).
    cost: of all steps up to the checkpoint, None if one is unknown or the record is older than this field.
    """

    step: int
    label: str
    trained: tuple[str, ...]
    recovered: str | tuple[str, ...] | None
    checkpoints: tuple[str, ...]
    scores: dict[str, Estimate]
    average: Estimate
    cost: MeanCost | None = None


class Row(Record):
    """A method. `reference` rows (the base model) and rows that lack a score have no rank.

    rank: by the average. rank_group: methods that do not differ significantly from the best of their group share it;
    see `harness.results.ranks`.
    definition: a digest of the method's steps without the seed. Rows with equal definitions are the same method.
    forgetting, backward_transfer: means over the domains that a later training could have harmed; see
    `harness.results.metrics`. forgetting_by_domain: also has the evaluation-only columns.
    metrics: the values of the leaderboard's `metrics`, by name.
    recovery: the method's last recovery. earlier_recoveries: the recoveries before it. seed_costs: the cost of each
    seed, in the order of `seeds`, empty if one is unknown. footnotes: indices into `notes`, from 1. parameters: of the
    last checkpoint, None for the base and if the record is older than this field.
    """

    method: str
    reference: bool = False
    definition: str
    seeds: tuple[int, ...]
    scores: dict[str, Estimate]
    average: Estimate
    rank: int | None = None
    rank_group: int | None = None
    recovery: RecoveryResult | None = None
    earlier_recoveries: tuple[RecoveryResult, ...] = ()
    forgetting: Estimate
    forgetting_by_domain: dict[str, Estimate]
    backward_transfer: Estimate
    metrics: dict[str, Estimate] = Field(default_factory=dict)
    cost: MeanCost | None
    seed_costs: tuple[MeanCost, ...] = ()
    trajectory: tuple[TrajectoryStep, ...]
    footnotes: tuple[int, ...] = ()
    parameters: ModelSize | None = Field(default=None, exclude_if=lambda size: size is None)

    def of_seed(self, column: str, *, seed: int, step: int) -> float | None:
        """Returns the score of a column after a step with a seed, None if there is none."""
        chosen = self.trajectory[step]
        if column not in chosen.scores:
            return None
        return chosen.scores[column].per_seed[0 if len(chosen.checkpoints) == 1 else self.seeds.index(seed)]

    @property
    def recoveries(self) -> tuple[RecoveryResult, ...]:
        """All recoveries of the method, in the order of its steps."""
        return (*self.earlier_recoveries, *([self.recovery] if self.recovery else []))


class Leaderboard(Record):
    """The rows of one or several runs. columns: the domains, then the evaluation-only columns, which no method trains.
    in_average: the evaluation-only columns in the average. published: results from papers, never ranked."""

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schema")
    protocol: str
    model: str
    seeds: tuple[int, ...]
    columns: tuple[str, ...]
    evaluation_only: tuple[str, ...] = ()
    in_average: tuple[str, ...] = ()
    measurement: dict[str, Measurement]
    metrics: dict[str, MetricColumn] = Field(default_factory=dict)
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)
    published: tuple[PublishedTable, ...] = ()

    @property
    def roles(self) -> ColumnRoles:
        """What each column counts for."""
        lower = [column for column in self.columns if not self.higher_is_better(column)]
        return ColumnRoles.of(
            self.columns, lower=lower, evaluation_only=self.evaluation_only, in_average=self.in_average
        )

    @property
    def averaged(self) -> tuple[str, ...]:
        """The columns in the average: those where higher is better, of the evaluation-only ones only `in_average`."""
        return self.roles.averaged

    def higher_is_better(self, column: str) -> bool:
        """Returns whether higher is better in the column; true for a column that was never measured."""
        return column not in self.measurement or self.measurement[column].higher_is_better

    @property
    def has_mixtures(self) -> bool:
        """Whether the model of a method is a mixture of experts, so that its parameters are a cost to compare."""
        return any(row.parameters is not None and row.parameters.active < row.parameters.total for row in self.rows)

    def row(self, method: str) -> Row:
        """Returns the method's row. Raises UsageError with the list of methods if it does not exist."""
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
    def read(cls, path: Path, *, upgrade: bool = True) -> Leaderboard:
        """Returns the record in a file. Raises UsageError if it is missing, malformed, or has a newer schema.

        upgrade: recompute a record of an older schema from its scores.
        """
        try:
            text = read_untrusted(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"this leaderboard cannot be read: {error}", where=str(path)) from error
        return cls.parse(text, str(path), upgrade=upgrade)

    @classmethod
    def parse(cls, text: str, where: str, *, upgrade: bool = True) -> Leaderboard:
        """Returns the record in `text`; `where` names its source in errors. Raises UsageError as `read` does."""
        try:
            data = parse_json(text)
        except ValueError as error:
            raise UsageError(f"this is not JSON: {error}", where=where) from error
        version = data.get("schema") if isinstance(data, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise UsageError("this is not a leaderboard: it has no schema version", where=where)
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"this leaderboard has schema {version}; this version of the harness reads up to {SCHEMA_VERSION}",
                where=where,
                hint="install a newer mdrl-harness",
            )
        try:
            read = cls.model_validate_json(text)
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
            more = [f"and {len(faults) - 8} more"] if len(faults) > 8 else []
            raise UsageError(
                "this leaderboard is malformed:\n  " + "\n  ".join(faults[:8] + more), where=where
            ) from error
        if version == SCHEMA_VERSION or not upgrade:
            return read
        from harness.results.rebuild import rebuilt

        return rebuilt(read)
