"""The leaderboard as a polars frame, with numbers at full precision and null for missing values."""

from __future__ import annotations

from typing import Any

import polars as pl

from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row


def leaderboard_frame(leaderboard: Leaderboard) -> pl.DataFrame:
    """Returns one row per method, in the leaderboard's order. `Run.leaderboard` describes the columns."""
    return pl.DataFrame([_cells(leaderboard, row) for row in leaderboard.rows], infer_schema_length=None)


def _estimate(name: str, one: Estimate | None) -> dict[str, Any]:
    known = one or Estimate()
    low, high = known.ci95 or (None, None)
    return {
        name: known.mean,
        f"{name}_ci95_low": low,
        f"{name}_ci95_high": high,
        f"{name}_interval": known.interval,
        f"{name}_n": known.n,
    }


def _cells(leaderboard: Leaderboard, row: Row) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "protocol": leaderboard.protocol,
        "model": leaderboard.model,
        "method": row.method,
        "reference": row.reference,
        "rank": row.rank,
        "rank_group": row.rank_group,
        "seeds": " ".join(map(str, row.seeds)),
    }
    for column in leaderboard.columns:
        cells |= _estimate(f"score_{column}", row.scores.get(column))
    cells |= _estimate("average", row.average)
    cells |= _estimate("forgetting", row.forgetting)
    cells |= _estimate("backward_transfer", row.backward_transfer)
    for name in leaderboard.metrics:
        cells |= _estimate(f"metric_{name}", row.metrics.get(name))
    recovery = row.recovery
    cells["recovery_target"] = recovery.target if recovery else None
    cells["recovery_remark"] = (recovery.remark or None) if recovery else None
    for name in ("peak", "damaged", "recovered", "damage", "ratio", "collateral", "net"):
        cells |= _estimate(f"recovery_{name}", getattr(recovery, name) if recovery else None)
    recovered = {name for other in leaderboard.rows if other.recovery for name in other.recovery.targets}
    for name in (column for column in leaderboard.columns if column in recovered):
        target = recovery.targets.get(name) if recovery else None
        cells |= _estimate(f"recovery_ratio_{name}", target.ratio if target else None)
    for name in ("optimizer_steps", "completions", "generated_tokens", "train_seconds"):
        cells[name] = getattr(row.cost, name) if row.cost else None
    if leaderboard.has_mixtures:
        cells["parameters"] = row.parameters.total if row.parameters else None
        cells["active_parameters"] = row.parameters.active if row.parameters else None
    if leaderboard.evaluation_only:
        cells["evaluation_only"] = " ".join(leaderboard.evaluation_only)
    cells["notes"] = " ".join(leaderboard.notes[footnote - 1] for footnote in row.footnotes) or None
    return cells
