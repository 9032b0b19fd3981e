"""Tables of a run's probes: means over seeds with their intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.tables.layout import MISSING, TextTable, number
from harness.report.tables.markdown import escape, markdown_table
from harness.results.estimates import Estimate
from harness.results.probe_tables import MeanRow, ProbeRecord, ProbeTable

DIGITS = 3
"""The number of significant digits, counted in the larger of the mean and half its interval."""


def probe_tables(record: ProbeRecord) -> list[TextTable]:
    """Returns one table per probe. Values that are equal in all rows are in the notes."""
    return [_table(table, record.methods) for table in record.tables if table.means]


def probe_page(record: ProbeRecord) -> str:
    """Returns all tables as a Markdown page."""
    head = f"# Probes: {escape(record.protocol)}\n\n{escape(over_seeds(record))}\n"
    return "\n".join([head, *map(markdown_table, probe_tables(record))])


def over_seeds(record: ProbeRecord) -> str:
    """Returns a sentence on the seeds of the means and on their intervals."""
    seeds = sorted({seed for table in record.tables for seed in table.seeds})
    if len(seeds) == 1:
        return f"Only seed {seeds[0]}, so without intervals over seeds."
    listed = ", ".join(map(str, seeds))
    return f"Means over seeds {listed}; brackets: 95 % interval over seeds, by Student's t; none where all seeds agree."


def _table(table: ProbeTable, methods: Sequence[str]) -> TextTable:
    rows = table.means
    alone = len(rows) == 1
    by = [_by(row, methods) for row in rows]
    keys = [key for key in rows[0].of if alone or _differ(row.of.get(key) for row in rows)]
    columns = list(dict.fromkeys(column for row in rows for column in row.values))
    cells = {column: [_estimate(row.values.get(column)) for row in rows] for column in columns}
    shown = [column for column in columns if alone or _differ(cells[column])]
    of_all = {key: _text(value) for key, value in rows[0].of.items() if key not in keys}
    of_all |= {column: cells[column][0] for column in columns if column not in shown}
    settings = {key: _text(value) for key, value in table.config.items()}
    of_all = {key: value for key, value in of_all.items() if settings.get(key) != value}
    by_method = _differ(by)
    repeated = len({row.repeats for row in rows}) > 1
    return TextTable(
        title=table.probe,
        subtitle=_settings(table.config),
        columns=(
            *(["Method"] if by_method else []),
            *map(_title, keys),
            *map(_title, shown),
            *(["Rows per seed"] if repeated else []),
        ),
        rows=tuple(
            (
                *([by[place]] if by_method else []),
                *(_text(row.of.get(key)) for key in keys),
                *(cells[column][place] for column in shown),
                *([str(row.repeats)] if repeated else []),
            )
            for place, row in enumerate(rows)
        ),
        notes=tuple(_notes(table, of_all, None if by_method else by[0], repeated=repeated)),
        names=by_method + len(keys),
    )


def _notes(table: ProbeTable, of_all: Mapping[str, str], by: str | None, *, repeated: bool) -> list[str]:
    notes = []
    if by is not None:
        notes.append(f"Methods: {by}.")
    if of_all:
        notes.append(f"In every row: {', '.join(f'{_words(key)} {value}' for key, value in of_all.items())}.")
    if repeated:
        alone = " Brackets: 95 % interval over these rows, by Student's t." if len(table.seeds) == 1 else ""
        notes.append(f"Several rows per seed: their mean is the seed's number.{alone}")
    if missing := {len(table.seeds) - _seeds(row) for row in table.means} - {0}:
        notes.append(f"Some rows lack up to {max(missing)} seeds.")
    return notes


def _seeds(row: MeanRow) -> int:
    return max((sum(value is not None for value in one.per_seed) for one in row.values.values()), default=0)


def _by(row: MeanRow, methods: Sequence[str]) -> str:
    return "all" if set(row.methods) == set(methods) and len(methods) > 1 else ", ".join(row.methods)


def _settings(config: Mapping[str, Any]) -> str:
    used = {key: value for key, value in config.items() if value is not None and value not in ([], {})}
    return ", ".join(f"{_words(key)} {_text(value)}" for key, value in used.items()) or "No settings"


def _differ(values: Any) -> bool:
    return len({json.dumps(value) for value in values}) > 1


def _words(column: str) -> str:
    return column.replace("_", " ")


def _title(column: str) -> str:
    words = _words(column)
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return number(value, 0)
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _estimate(one: Estimate | None) -> str:
    if one is None or one.mean is None:
        return MISSING
    ends = one.ci95 or (one.mean, one.mean)
    size = max(abs(one.mean), (ends[1] - ends[0]) / 2)
    steady = ends[0] == ends[1]
    if steady and one.mean == round(one.mean):
        return f"{one.mean:,.0f}".replace("-", "−")
    texts = [_significant(value, size) for value in (one.mean, *ends)]
    return texts[0] if steady or one.ci95 is None else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _significant(value: float, size: float) -> str:
    """Returns the number with the decimals that show the significant digits of a number of this size."""
    if 0 < size < 1e-5:
        return f"{value:.{DIGITS - 1}e}".replace("-", "−")
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(size))) if size else 0
    if size < 1e4:
        return number(value, decimals)
    return f"{value:,.0f}".replace("-", "−")
