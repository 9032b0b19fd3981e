"""Builds a leaderboard from a score table, a plan and the costs in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.execution.score_table import ReadableStore, domain_scores
from harness.planning.definitions import method_digest
from harness.planning.nodes import RecoverNode
from harness.planning.plan import MethodPlan, Plan
from harness.planning.titles import step_label
from harness.protocol.steps import ALL
from harness.results.columns import ColumnRoles
from harness.results.estimates import Estimate
from harness.results.leaderboard import (
    Leaderboard,
    MeanCost,
    MeasuredTask,
    Measurement,
    ModelSize,
    RecoveryResult,
    Row,
    TrajectoryStep,
)
from harness.results.metrics import Recovered, Score, StepScores, recovery_start
from harness.results.numbers import recovery_numbers, step_numbers, with_numbers
from harness.results.ranks import ranked

ScoresByPlace = Mapping[tuple[str, int, int], Mapping[str, Score]]
BASE_ROW = "base"
_NO_NUMBERS: Any = {
    "scores": {},
    "average": Estimate(per_seed=(None,), stderr=(None,)),
    "forgetting": Estimate(per_seed=(None,), stderr=(None,)),
    "forgetting_by_domain": {},
    "backward_transfer": Estimate(per_seed=(None,), stderr=(None,)),
}
"""Placeholder numbers of a row, until `with_numbers` computes them from its trajectory."""


def build_leaderboard(
    scores: pl.DataFrame, plan: Plan, store: ReadableStore, provenance: Mapping[str, Any]
) -> Leaderboard:
    """Returns the leaderboard of a complete or partial run: one row per method, and the base model as an unranked
    reference.

    A method with a missing score has no rank. Costs are from the `result.json` of the steps, null if one is missing.
    Raises UsageError if a `result.json` cannot be read, DamagedResult if it has changed in the store.
    """
    measurement, notes = _measurement(scores, plan)
    roles = ColumnRoles.of(
        plan.scored_names,
        lower=[column for column, one in measurement.items() if not one.higher_is_better],
        evaluation_only=tuple(plan.columns),
        in_average=[name for name, column in plan.columns.items() if column.in_average],
    )
    builder = _Builder(plan, store, domain_scores(scores), roles)
    names = list(dict.fromkeys(method.name for method in plan.methods))
    rows = [builder.row(name) for name in names]
    if rows:
        rows.append(builder.base(taken=names))
    return Leaderboard(
        protocol=plan.protocol,
        model=plan.model,
        seeds=tuple(plan.seeds),
        columns=roles.columns,
        evaluation_only=tuple(plan.columns),
        in_average=tuple(name for name, column in plan.columns.items() if column.in_average),
        measurement=measurement,
        rows=ranked(rows, roles.ranked),
        notes=tuple(notes),
        provenance=dict(provenance),
    )


def _measurement(scores: pl.DataFrame, plan: Plan) -> tuple[dict[str, Measurement], list[str]]:
    measurement: dict[str, Measurement] = {}
    notes: list[str] = []
    for column in plan.scored_names:
        rows = scores.filter(pl.col("primary") & (pl.col("domain") == column))
        if rows.is_empty():
            continue
        tasks = rows.select("task", "metric", "filter", "task_hash").unique(maintain_order=True).to_dicts()
        if len({(task["task"], task["metric"], task["filter"]) for task in tasks}) < len(tasks):
            notes.append(f"{column} was measured with more than one version of its tasks")
        settings = rows.row(0, named=True)
        measurement[column] = Measurement(
            tasks=tuple(MeasuredTask(**task) for task in tasks),
            higher_is_better=settings["higher_is_better"],
            percent=settings["percent"],
            limit=settings["limit"],
            batch_size=settings["batch_size"],
            seed=settings["eval_seed"],
            backend=plan.settings_of(column).backend_text(),
        )
    return measurement, notes


class _Builder:
    """Builds rows from shared data."""

    def __init__(
        self,
        plan: Plan,
        store: ReadableStore,
        scores: ScoresByPlace,
        roles: ColumnRoles,
    ) -> None:
        self.plan = plan
        self.store = store
        self.scores = scores
        self.roles = roles
        self._results: dict[str, dict[str, Any] | None] = {}

    def row(self, name: str) -> Row:
        """Returns the method's row, without a rank."""
        methods = [method for method in self.plan.methods if method.name == name]
        lineages = [self._steps(method) for method in methods]
        recoveries = {
            step: self._recovery(methods, lineages, step)
            for step, key in enumerate(methods[0].lineage)
            if self.plan.nodes[key].recovered_domains
        }
        costs = self._costs([self.plan.steps_behind(method.lineage[-1]) for method in methods])
        last = max(recoveries, default=None)
        row = Row(
            method=name,
            definition=definition(self.plan, methods[0]),
            seeds=tuple(method.seed for method in methods),
            **_NO_NUMBERS,
            recovery=None if last is None else recoveries[last],
            earlier_recoveries=tuple(one for step, one in recoveries.items() if step != last),
            cost=MeanCost.of(costs),
            seed_costs=costs,
            trajectory=tuple(self._trajectory_step(methods, lineages, k) for k in range(len(methods[0].lineage))),
            parameters=self._parameters(methods[0].lineage),
        )
        peaks = {step: {name: peak.scores() for name, peak in one.peaks.items()} for step, one in recoveries.items()}
        return with_numbers(row, self.roles, peaks)

    def base(self, taken: Sequence[str]) -> Row:
        """Returns the reference row of the untrained base model, which has one checkpoint for all seeds."""
        method = self.plan.methods[0]
        row = Row(
            method=BASE_ROW if BASE_ROW not in taken else f"{BASE_ROW} model",
            reference=True,
            definition=definition(self.plan, MethodPlan(name=BASE_ROW, seed=method.seed, lineage=method.lineage[:1])),
            seeds=(),
            **_NO_NUMBERS,
            cost=MeanCost(optimizer_steps=0.0, completions=0.0, generated_tokens=0.0, train_seconds=0.0),
            trajectory=(self._trajectory_step([method], [self._steps(method)], 0),),
        )
        return with_numbers(row, self.roles, {})

    def _steps(self, method: MethodPlan) -> list[StepScores]:
        steps = []
        for step, key in enumerate(method.lineage):
            node = self.plan.nodes[key]
            steps.append(
                StepScores(
                    scores=self.scores.get((method.name, method.seed, step), {}),
                    trained=node.trained_domains,
                    recovered=_recovered(node.recovered_domains),
                )
            )
        return steps

    def _trajectory_step(
        self, methods: Sequence[MethodPlan], lineages: Sequence[Sequence[StepScores]], step: int
    ) -> TrajectoryStep:
        keys = [method.lineage[step] for method in methods]
        shared = len(set(keys)) == 1
        steps = [lineage[step] for lineage in lineages][: 1 if shared else None]
        node = self.plan.nodes[keys[0]]
        return TrajectoryStep(
            step=step,
            label=step_label(node),
            trained=steps[0].trained,
            recovered=steps[0].recovered,
            checkpoints=tuple(keys[:1] if shared else keys),
            cost=MeanCost.of(self._costs([self.plan.steps_behind(key) for key in keys])),
            **step_numbers(steps, self.roles),
        )

    def _recovery(
        self, methods: Sequence[MethodPlan], lineages: Sequence[Sequence[StepScores]], step: int
    ) -> RecoveryResult:
        node = self.plan.nodes[methods[0].lineage[step]]
        assert isinstance(node, RecoverNode)
        peaks = {name: [steps[node.peaks[name]].scores.get(name) for steps in lineages] for name in node.targets}
        start = recovery_start(lineages[0], step)
        return RecoveryResult(
            step=step,
            plugin=node.recovery.name,
            config=dict(node.recovery.config),
            target=ALL if len(node.targets) == len(self.plan.domains) > 1 else "+".join(node.targets),
            **recovery_numbers(lineages, step, peaks, self.roles),
            cost=MeanCost.of(self._costs([method.lineage[start : step + 1] for method in methods])),
        )

    def _costs(self, lineages: Sequence[Sequence[str]]) -> tuple[MeanCost, ...]:
        """Returns the total cost of the steps for each seed, empty if one of them is missing."""
        totals = []
        for keys in lineages:
            costs = [self._cost_of(key) for key in keys]
            known = [cost for cost in costs if cost is not None]
            if len(known) < len(costs):
                return ()
            totals.append(MeanCost(**{field: sum(cost[field] for cost in known) for field in MeanCost.model_fields}))
        return tuple(totals)

    def _parameters(self, lineage: Sequence[str]) -> ModelSize | None:
        """Returns the size of the last model, from the last step that stored a full one; None if it is unknown."""
        for key in reversed(lineage):
            result = self._result(key) or {}
            if "parameters" in result:
                return ModelSize(**result["parameters"])
        return None

    def _cost_of(self, key: str) -> dict[str, float] | None:
        result = self._result(key)
        return None if result is None else {field: float(result["cost"][field]) for field in MeanCost.model_fields}

    def _result(self, key: str) -> dict[str, Any] | None:
        """Returns the content of a step's result.json, None if the store does not hold it."""
        if key not in self._results:
            self._results[key] = self._read_result(key) if self.store.holds(key) else None
        return self._results[key]

    def _read_result(self, key: str) -> dict[str, Any]:
        content = self.store.read(key, "result.json")
        try:
            result: dict[str, Any] = parse_json(content)
            MeanCost(**{field: float(result["cost"][field]) for field in MeanCost.model_fields})
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"the cost of a step cannot be read: {type(error).__name__}: {error}",
                where=str(self.store.path(key) / "result.json"),
                hint="remove that folder of the store and run again",
            ) from error
        return result


def _recovered(targets: tuple[str, ...]) -> Recovered:
    return targets if len(targets) > 1 else next(iter(targets), None)


def definition(plan: Plan, method: MethodPlan) -> str:
    """Returns a digest of the method without its seed: model, plugins with versions, configs and data."""
    return method_digest(method.lineage, plan.definition_of)
