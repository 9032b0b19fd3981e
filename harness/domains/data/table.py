"""Loads a domain's rows and checks their columns."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from harness.domains.data.hub_table import load_hub_table
from harness.domains.data.local_files import read_local
from harness.domains.data.source import DataSource
from harness.domains.data.text_values import as_texts
from harness.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

SOURCE_ROW = "source_row"
"""The column with the place of each row in the data, such as `mine.jsonl:3`, for messages. If a domain keeps it in its
training rows, reports name the rows by it."""
SOURCE_TEXT = "source_text"
"""The column with the problem's text, without the prompt's template, in training rows and test items. `harness
prefetch` compares it to find overlaps; without it, whole prompts are compared."""


def load_table(source: DataSource, columns: Mapping[str, str], *, text: Collection[str] = ()) -> Dataset:
    """Returns the rows of `source`, each with its place in the column `source_row`.

    Args:
        columns: the required columns, each with a description for messages.
        text: the columns to read as text; `a.b` is a field of a column. Lists become lists of texts. Numbers, dates and
            booleans of a local file keep their spelling.

    Raises UsageError if the data cannot be loaded (missing, gated, no such revision, offline), if a file or row cannot
    be read, or if columns are missing.
    """
    files = source.files()
    if files:
        local = read_local(files, text)
        rows, places, where = local.rows, local.places, ", ".join(map(str, files))
    else:
        rows = load_hub_table(source)
        where = f"{source.dataset} at {source.revision or 'main'}, split {source.split}"
        places = [f"{source.dataset}, row {number}" for number in range(1, len(rows) + 1)]
    missing = [name for name in columns if name not in rows.column_names]
    if missing:
        wanted = "; ".join(f"{name}: {columns[name]}" for name in columns)
        raise UsageError(
            f"the data have no column {', '.join(missing)}; they have {', '.join(rows.column_names)}",
            where=where,
            hint=f"required columns: {wanted}. If they have other names, set those in the config"
            + ("" if files else ", or set `revision` to a commit that has them"),
        )
    if len(rows) == 0:
        raise UsageError("the data have no rows", where=where)
    rows = _with_text(rows, text)
    return rows if SOURCE_ROW in rows.column_names else rows.add_column(SOURCE_ROW, list(places))


def _with_text(rows: Dataset, columns: Collection[str]) -> Dataset:
    """Returns the rows with the columns as texts, or as lists of texts if any row has a list."""
    for name in columns:
        if name in rows.column_names and getattr(rows.features[name], "dtype", "") != "string":
            rows = rows.add_column(f"{name} as text", as_texts(rows[name])).remove_columns(name)
            rows = rows.rename_column(f"{name} as text", name)
    return rows


def nested_subset(rows: Dataset, limit: int | None, seed: int, column: str) -> Dataset:
    """Returns `limit` rows (None for all) in an order that depends only on `seed` and the text of `column`.

    A smaller limit returns a prefix of a larger one. Adding rows to the data does not change the order of the others.
    """
    texts = list(rows[column])
    order = sorted(range(len(texts)), key=lambda i: hashlib.sha256(f"{seed}/{texts[i]}".encode()).digest())
    return rows.select(order[:limit])
