"""Combines several runs into one leaderboard. Runs that were measured differently are refused unless allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.errors import UsageError
from harness.results.estimates import Estimate, estimate
from harness.results.leaderboard import Leaderboard, MeanCost, Measurement, RecoveryResult, Row, TrajectoryStep
from harness.results.metrics import Score
from harness.results.numbers import at_seed, with_numbers
from harness.results.ranks import ranked


def combine(leaderboards: Sequence[Leaderboard], *, allow_mixed: bool = False) -> Leaderboard:
    """Returns one leaderboard with the rows of all. Rows of the same method with different seeds are merged.

    allow_mixed: accept runs that differ from the first in base model, columns, task versions, limits, batch sizes or
    evaluation seeds, and mark their rows with a footnote. Methods that share a name but not their configuration or
    scores are then renamed.

    Raises UsageError, without `allow_mixed`, if the runs were measured differently, if one name stands for different
    configurations, or if the same method and seed has different scores.
    """
    first = leaderboards[0]
    notes = list(first.notes)
    rows = list(first.rows)
    measurement = dict(first.measurement)
    for number, other in enumerate(leaderboards[1:], start=2):
        differences = differing(first, other)
        if differences and not allow_mixed:
            raise UsageError(
                f"{_title(first, 1)} and {_title(other, number)} were measured differently:\n  "
                + "\n  ".join(differences),
                hint="show them in separate tables, or pass --allow-mixed to mark the rows",
            )
        shift = len(notes)
        notes.extend(other.notes)
        marks: tuple[int, ...] = ()
        if differences:
            notes.append(f"{_title(other, number)} was measured differently: {'; '.join(differences)}")
            marks = (len(notes),)
        measurement = other.measurement | measurement
        for row in other.rows:
            marked = row.model_copy(update={"footnotes": (*(mark + shift for mark in row.footnotes), *marks)})
            _add(rows, marked, _title(other, number), first=first, allow_mixed=allow_mixed)
    columns = _all_of(one.columns for one in leaderboards)
    combined = first.model_copy(
        update={
            "protocol": " + ".join(dict.fromkeys(one.protocol for one in leaderboards)),
            "model": " + ".join(dict.fromkeys(one.model for one in leaderboards)),
            "seeds": tuple(sorted({seed for one in leaderboards for seed in one.seeds})),
            "columns": columns,
            "measurement": measurement,
            "metrics": {name: column for one in reversed(leaderboards) for name, column in one.metrics.items()},
            "evaluation_only": _all_of(one.evaluation_only for one in leaderboards),
            "in_average": _all_of(one.in_average for one in leaderboards),
            "notes": tuple(notes),
            "provenance": {"runs": [one.provenance for one in leaderboards]}
            if len(leaderboards) > 1
            else first.provenance,
        }
    )
    return combined.model_copy(update={"rows": ranked(rows, combined.roles.ranked)})


def _all_of(names: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _title(leaderboard: Leaderboard, number: int) -> str:
    return f"run {number} ({leaderboard.protocol})"


def differing(left: Leaderboard, right: Leaderboard) -> list[str]:
    """Returns the differences that make the numbers of two leaderboards incomparable, one line each."""
    found = []
    if left.model != right.model:
        found.append(f"base model: {left.model} vs {right.model}")
    if left.columns != right.columns:
        found.append(f"columns: {', '.join(left.columns)} vs {', '.join(right.columns)}")
    if set(left.columns) == set(right.columns) and _untrained(left) != _untrained(right):
        found.append(f"evaluation-only columns: {_untrained(left)} vs {_untrained(right)}")
    for column in left.columns:
        if column in left.measurement and column in right.measurement:
            found.extend(_differing_column(column, left.measurement[column], right.measurement[column]))
    found += [
        f"metric {name}: {left.metrics[name].plugin} vs {right.metrics[name].plugin}, or different settings"
        for name in left.metrics
        if name in right.metrics and left.metrics[name] != right.metrics[name]
    ]
    return found


def _untrained(leaderboard: Leaderboard) -> str:
    marked = [f"{one}{' (in the average)' * (one in leaderboard.in_average)}" for one in leaderboard.evaluation_only]
    return ", ".join(marked) or "none"


def _differing_column(column: str, left: Measurement, right: Measurement) -> list[str]:
    found = [
        f"{column}: {name} {getattr(left, field)} vs {getattr(right, field)}"
        for field, name in (
            ("limit", "limit"),
            ("batch_size", "batch size"),
            ("seed", "evaluation seed"),
            ("backend", "backend"),
        )
        if getattr(left, field) != getattr(right, field)
    ]
    named = [{(t.task, t.metric, t.filter) for t in one.tasks} for one in (left, right)]
    if named[0] != named[1] or (left.higher_is_better, left.percent) != (right.higher_is_better, right.percent):
        found.append(f"{column}: different tasks or metrics")
    elif set(left.tasks) != set(right.tasks):
        names = {task.task for task in set(left.tasks) ^ set(right.tasks)}
        found.append(f"{column}: different task version or prompts ({', '.join(sorted(names))})")
    return found


def _add(rows: list[Row], new: Row, title: str, *, first: Leaderboard, allow_mixed: bool) -> None:
    """Adds `new` to `rows`, or merges it with the row of the same method."""
    index = next((i for i, row in enumerate(rows) if row.method == new.method), None)
    if index is None:
        rows.append(new)
        return
    old = rows[index]
    clash = _clash(old, new, title)
    if clash and not allow_mixed:
        raise UsageError(clash, hint="rename it in one of the protocols, leave one run out, or pass --allow-mixed")
    if clash or old.footnotes != new.footnotes:
        taken = {row.method for row in rows}
        name = f"{new.method}, {title}"
        while name in taken:
            name += " again"
        rows.append(new.model_copy(update={"method": name}))
        return
    fresh = [i for i, seed in enumerate(new.seeds) if seed not in old.seeds]
    if fresh:
        rows[index] = _merge(old, new, fresh, first)


def _clash(old: Row, new: Row, title: str) -> str:
    """Returns why two rows with the same name cannot be merged, empty if they can."""
    if old.definition != new.definition or old.reference != new.reference:
        return f"the method {new.method!r} is configured differently in {title}: its plugin versions, settings or data"
    if old.reference and old.scores != new.scores:
        return f"the base model has different scores in {title}"
    for i, seed in enumerate(new.seeds):
        if seed in old.seeds and _seed_scores(old, old.seeds.index(seed)) != _seed_scores(new, i):
            return f"the method {new.method!r} with seed {seed} has different scores in {title}"
    return ""


def _seed_scores(row: Row, index: int) -> Mapping[str, float | None]:
    return {column: score.per_seed[index] for column, score in row.scores.items()}


def _merge(old: Row, new: Row, fresh: Sequence[int], board: Leaderboard) -> Row:
    """Returns a row with the seeds of `old` and the seeds of `new` at the indices `fresh`.

    If only the mean cost of `new` is known, it is used for its fresh seeds.
    """
    weights = (len(old.seeds), len(fresh))

    def both(left: Estimate | None, right: Estimate | None) -> list[Score | None]:
        places = ((left, range(len(old.seeds))), (right, fresh))
        return [at_seed(one, place) if one else None for one, chosen in places for place in chosen]

    def step(left: TrajectoryStep, right: TrajectoryStep) -> TrajectoryStep:
        if left.checkpoints == right.checkpoints:
            return left
        keys = right.checkpoints
        chosen = tuple(keys[index if len(keys) > 1 else 0] for index in fresh)
        names = dict.fromkeys((*left.scores, *right.scores))
        scores = {name: estimate(both(left.scores.get(name), right.scores.get(name))) for name in names}
        cost = _mean_cost(left.cost, right.cost, weights)
        return left.model_copy(update={"checkpoints": left.checkpoints + chosen, "scores": scores, "cost": cost})

    def recovery(left: RecoveryResult, right: RecoveryResult) -> RecoveryResult:
        return left.model_copy(update={"cost": _mean_cost(left.cost, right.cost, weights)})

    recoveries = tuple(recovery(a, b) for a, b in zip(old.recoveries, new.recoveries, strict=True))
    peaks = {
        a.step: {name: both(a.peaks[name], b.peaks[name]) for name in a.peaks}
        for a, b in zip(old.recoveries, new.recoveries, strict=True)
    }
    costs = (*old.seed_costs, *(new.seed_costs[index] for index in fresh)) if old.seed_costs and new.seed_costs else ()
    merged = old.model_copy(
        update={
            "seeds": old.seeds + tuple(new.seeds[index] for index in fresh),
            "recovery": recoveries[-1] if recoveries else None,
            "earlier_recoveries": recoveries[:-1],
            "cost": MeanCost.of(costs) or _mean_cost(old.cost, new.cost, weights),
            "seed_costs": costs,
            "metrics": {
                name: estimate(both(old.metrics.get(name), new.metrics.get(name)))
                for name in dict.fromkeys((*old.metrics, *new.metrics))
            },
            "trajectory": tuple(step(a, b) for a, b in zip(old.trajectory, new.trajectory, strict=True)),
        }
    )
    return with_numbers(merged, board.roles, peaks)


def _mean_cost(left: MeanCost | None, right: MeanCost | None, weights: tuple[int, int]) -> MeanCost | None:
    if left is None or right is None:
        return None
    total = sum(weights)
    return MeanCost(
        **{
            field: (getattr(left, field) * weights[0] + getattr(right, field) * weights[1]) / total
            for field in MeanCost.model_fields
        }
    )
