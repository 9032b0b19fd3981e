"""The tables of a method's page: its scores by seed, its difference from the best method, its cost and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from harness.errors import UsageError
from harness.report.site.records import KeptRecord
from harness.report.tables.layout import (
    MISSING,
    TextTable,
    decimals,
    header,
    interval,
    interval_notes,
    metric_headers,
    number,
)
from harness.report.tables.recoveries import recovery_table
from harness.results.compare import paired_differences
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, MeanCost, Row

_SHARED_SECTIONS = ("model", "train", "evaluate", "launch", "domains")
_COSTS = (
    ("optimizer_steps", "Optimizer steps", 0),
    ("completions", "Completions", 0),
    ("generated_tokens", "Generated tokens", 0),
    ("train_seconds", "Training, seconds", 1),
)


def score_table(leaderboard: Leaderboard, row: Row) -> TextTable:
    """Returns one line per column, and lines of the average and of further numbers: mean, each seed, items, and what
    later steps cost the column."""
    lines = []
    for column in leaderboard.columns:
        digits, one = decimals(leaderboard, column), row.scores.get(column)
        lost = interval(row.forgetting_by_domain.get(column), digits)
        lines.append((header(leaderboard, column), *_line(row, one, digits), str(one.n) if one else MISSING, lost))
    digits = decimals(leaderboard)
    totals = [("Average", row.average, digits), ("Backward transfer", row.backward_transfer, digits)]
    heads = zip(metric_headers(leaderboard), leaderboard.metrics.items(), strict=True)
    totals += [(head, row.metrics.get(name, Estimate()), metric.decimals) for head, (name, metric) in heads]
    lines += [
        (head, *_line(row, one, places), MISSING, interval(row.forgetting, digits) if head == "Average" else MISSING)
        for head, one, places in totals
    ]
    seeds = () if row.reference or len(row.seeds) < 2 else tuple(f"Seed\N{NO-BREAK SPACE}{seed}" for seed in row.seeds)
    return TextTable(
        title="Scores",
        subtitle="",
        columns=("Column", "Mean", *seeds, "Items", "Forgetting"),
        rows=tuple(lines),
        notes=tuple(interval_notes([*row.scores.values(), row.average, row.forgetting])),
    )


def _line(row: Row, one: Estimate | None, digits: int) -> list[str]:
    """Returns the mean, and the number of each seed if there are several."""
    if row.reference or len(row.seeds) < 2:
        return [interval(one, digits)]
    values = one.per_seed if one and len(one.per_seed) == len(row.seeds) else (None,) * len(row.seeds)
    return [interval(one, digits), *(number(value, digits) for value in values)]


def difference_table(leaderboard: Leaderboard, row: Row) -> TextTable | None:
    """Returns the differences from the best method, for the best one from the next. None for the base model, without
    another ranked method, or without a common seed."""
    ranked = [one for one in leaderboard.rows if one.rank is not None and one.method != row.method]
    if row.reference or not ranked:
        return None
    other = min(ranked, key=lambda one: one.rank or 0)
    try:
        found = paired_differences(leaderboard, row.method, other.method)
    except UsageError:
        return None
    columns = [column for column in leaderboard.columns if column in found.scores]
    lines = [
        (
            header(leaderboard, column),
            interval(found.scores[column], decimals(leaderboard, column)),
            _p_value(found.p_values[column]),
        )
        for column in columns
    ]
    lines.append(("Average", interval(found.average, decimals(leaderboard)), _p_value(found.average_p_value)))
    notes = ["Paired by seed. p: two-sided paired t test, not corrected for the number of columns or methods."]
    if len(found.seeds) < 2:
        notes = ["One seed in common: no difference between the methods is shown."]
    return TextTable(
        title=f"Compared with {other.method}",
        subtitle=f"The {'best' if (other.rank or 0) < (row.rank or len(leaderboard.rows) + 1) else 'next'} method",
        columns=("Column", "Difference", "p"),
        rows=tuple(lines),
        notes=tuple(notes),
    )


def _p_value(value: float | None) -> str:
    return MISSING if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def recoveries_of(leaderboard: Leaderboard, row: Row) -> TextTable | None:
    """Returns the table of the method's recoveries with their settings, None without any."""
    if not row.recoveries:
        return None
    table = recovery_table(leaderboard.model_copy(update={"rows": (row,)}))
    settings = [f"Settings of {one.plugin}: {json.dumps(one.config)}" for one in row.recoveries if one.config]
    return replace(table, notes=(*table.notes, *settings))


def cost_table(row: Row) -> TextTable:
    """Returns one line per kind of cost: the mean over seeds, and each seed if known."""
    seeds: Sequence[MeanCost] = row.seed_costs if len(row.seeds) > 1 and len(row.seed_costs) == len(row.seeds) else ()
    lines = [
        (head, *(_amount(getattr(one, name), digits) if one else MISSING for one in (row.cost, *seeds)))
        for name, head, digits in _COSTS
    ]
    return TextTable(
        title="Cost",
        subtitle="Of all steps of the method, per seed",
        columns=("Cost", "Mean", *(f"Seed\N{NO-BREAK SPACE}{seed}" for seed in row.seeds if seeds)),
        rows=tuple(lines),
    )


def _amount(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def settings_of(records: Sequence[KeptRecord], method: str) -> dict[str, str]:
    """Returns the parts of the protocols that define the method, as YAML by the place of the record."""
    found = {}
    for record in records:
        methods = record.settings.get("methods")
        steps = methods.get(method) if isinstance(methods, Mapping) else None
        if steps is not None:
            shared = {key: record.settings[key] for key in _SHARED_SECTIONS if key in record.settings}
            found[record.place] = _yaml({"methods": {method: steps}} | shared)
    return found


def _yaml(data: Mapping[str, Any]) -> str:
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    yaml.dump(dict(data), text)
    return text.getvalue()
