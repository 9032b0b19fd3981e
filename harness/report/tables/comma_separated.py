"""The leaderboard as comma-separated values, for programs: numbers at full precision, empty where there are none."""

from __future__ import annotations

from typing import Any

import polars as pl

from harness.plugin.config import NoConfig
from harness.plugin.interfaces import TableFormat
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row
from harness.results.published import PublishedTable


class CommaSeparatedTables(TableFormat):
    """Renders one row a method; published tables follow, each after an empty line and with a header of its own."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def render(self, leaderboard: Leaderboard) -> str:
        frames = [_frame([_cells(leaderboard, row) for row in leaderboard.rows])]
        frames.extend(_published(table) for table in leaderboard.published)
        return "\n".join(frame.write_csv() for frame in frames)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    plain = [{_plain(key): _plain(value) for key, value in row.items()} for row in rows]
    return pl.DataFrame(plain, infer_schema_length=None)


def _plain(cell: Any) -> Any:
    """Returns a text that a spreadsheet would take for a formula with an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


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
    for name in ("optimizer_steps", "completions", "generated_tokens", "train_seconds"):
        cells[name] = getattr(row.cost, name) if row.cost else None
    cells["notes"] = " ".join(leaderboard.notes[footnote - 1] for footnote in row.footnotes) or None
    return cells


def _published(table: PublishedTable) -> pl.DataFrame:
    rows = []
    for row in table.rows:
        cells: dict[str, Any] = {
            "published": table.title,
            "arxiv": table.arxiv,
            "url": table.url,
            "model": row.model,
            "method": row.method,
        }
        for column in table.columns:
            cell = row.cells[column]
            cells[column] = cell.value if cell else None
            cells[f"{column}_grade"] = cell.grade if cell else None
        rows.append(cells | {"note": row.note or None})
    return _frame(rows)
