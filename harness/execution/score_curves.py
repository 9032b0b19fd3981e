"""The scores of a run by optimizer steps: within each training, where the protocol asks for it, and after each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.execution.score_table import SCHEMA as SCORES_SCHEMA
from harness.execution.score_table import ReadableStore, measurements_of, scores_by
from harness.planning.plan import MethodPlan, Plan
from harness.results.estimates import estimate
from harness.results.score_curves import ScoreCurve, ScoreCurves, ScorePoint

PLACE = ("step", "optimizer_step", "total_steps", "last")
SCHEMA: dict[str, pl.DataType] = {
    **SCORES_SCHEMA,
    "optimizer_step": pl.Int64(),
    "total_steps": pl.Int64(),
    "last": pl.Boolean(),
}


def collect_curves(plan: Plan, store: ReadableStore) -> pl.DataFrame:
    """Returns the table of all scores in the store by optimizer steps, in the order of the models of each method.

    The columns are those of the score table; `optimizer_step` (within the step), `total_steps` (since the base model)
    and `last` (whether the step ends here). `parent` is the checkpoint that the step starts from. The curve of a method
    ends before its first step that is not in the store. Raises as `collect_scores`, and UsageError if a `result.json`
    cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for method in plan.methods:
        for place in _places(plan, method, store):
            shown = {"run": plan.run_name, "method": method.name, "seed": method.seed, **place}
            rows.extend(shown | row for row in measurements_of(plan, place["checkpoint"], store))
    return pl.DataFrame(rows, schema=SCHEMA)


def _places(plan: Plan, method: MethodPlan, store: ReadableStore) -> Iterator[dict[str, Any]]:
    """Yields the models of a method in order."""
    before = 0
    for step, key in enumerate(method.lineage):
        if step and not store.holds(key):
            return
        steps = _optimizer_steps(key, store) if step else 0
        models = [*((state.optimizer_step, state.key) for state in plan.states.get(key, ())), (steps, key)]
        for optimizer_step, checkpoint in models:
            yield {
                "step": step,
                "checkpoint": checkpoint,
                "parent": method.lineage[step - 1] if step else None,
                "optimizer_step": optimizer_step,
                "total_steps": before + optimizer_step,
                "last": checkpoint == key,
            }
        before += steps


def _optimizer_steps(key: str, store: ReadableStore) -> int:
    try:
        return int(parse_json(store.read(key, "result.json"))["cost"]["optimizer_steps"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"the cost of a step cannot be read: {type(error).__name__}: {error}",
            where=str(store.path(key) / "result.json"),
            hint="remove that folder of the store and run again",
        ) from error


def build_curves(frame: pl.DataFrame, plan: Plan) -> ScoreCurves:
    """Returns the curves of a table from `collect_curves`, as means over the seeds that have a score."""
    scores = scores_by(("method", "seed", *PLACE), frame)
    checkpoints = {
        (row["method"], row["seed"], *(row[column] for column in PLACE)): row["checkpoint"]
        for row in frame.iter_rows(named=True)
    }
    methods = []
    for name in dict.fromkeys(method.name for method in plan.methods):
        lineages = {method.seed: method.lineage for method in plan.methods if method.name == name}
        places = sorted({at[2:] for at in checkpoints if at[0] == name})
        points = []
        for place in places:
            found = [(name, seed, *place) for seed in lineages]
            keys = tuple(checkpoints[at] for at in found if at in checkpoints)
            shared = len(set(keys)) == 1
            per_seed = [scores.get(at, {}) for at in found[: 1 if shared else None]]
            points.append(
                ScorePoint(
                    **dict(zip(PLACE, place, strict=True)),
                    label=plan.nodes[next(iter(lineages.values()))[place[0]]].label,
                    checkpoints=keys[:1] if shared else keys,
                    scores={
                        column: estimate([one.get(column) for one in per_seed])
                        for column in plan.scored_names
                        if any(column in one for one in per_seed)
                    },
                )
            )
        methods.append(ScoreCurve(method=name, seeds=tuple(lineages), points=tuple(points)))
    return ScoreCurves(protocol=plan.protocol, columns=plan.scored_names, methods=tuple(methods))
