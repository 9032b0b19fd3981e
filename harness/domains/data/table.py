"""Loads a domain's rows and says, where they are not as they should be, exactly what is wanted."""

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
"""The column with the place of each row in the data, such as `mine.jsonl:3`, for messages. A domain that hands it on
with its training rows has its rows named in reports."""
SOURCE_TEXT = "source_text"
"""The column with the problem's own text, without the template of the prompt, in training rows and test items: what
`harness prefetch` compares. Where a domain has none, whole prompts are compared."""


def load_table(source: DataSource, columns: Mapping[str, str], *, text: Collection[str] = ()) -> Dataset:
    """Returns the rows of `source`, which have at least `columns`: a column's name to what it holds, for people.

    text: the columns that are read as text; a list in them as a list of texts, and of a dotted name the field. A local
    file's numbers, dates and truth values stay as they are written. Every row has its place in the column `source_row`.

    Raises UsageError where the data cannot be had (missing, gated, no such revision, offline), a file or row cannot be
    read, or columns are missing.
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
            hint=f"the columns wanted are {wanted}; name the data's own in the config where it has keys for them"
            + ("" if files else ", or set `revision` to a commit that has them"),
        )
    if len(rows) == 0:
        raise UsageError("the data have no rows", where=where)
    rows = _with_text(rows, text)
    return rows if SOURCE_ROW in rows.column_names else rows.add_column(SOURCE_ROW, list(places))


def _with_text(rows: Dataset, columns: Collection[str]) -> Dataset:
    """Returns the rows with the columns as texts, or as lists of texts where any row has a list."""
    for name in columns:
        if name in rows.column_names and getattr(rows.features[name], "dtype", "") != "string":
            rows = rows.add_column(f"{name} as text", as_texts(rows[name])).remove_columns(name)
            rows = rows.rename_column(f"{name} as text", name)
    return rows


def nested_subset(rows: Dataset, limit: int | None, seed: int, column: str) -> Dataset:
    """Returns `limit` rows, all for None, in an order fixed by `seed` and the text of `column`.

    A smaller limit gives a prefix of a larger one's rows, and other rows added to the data leave the order of these.
    """
    texts = list(rows[column])
    order = sorted(range(len(texts)), key=lambda i: hashlib.sha256(f"{seed}/{texts[i]}".encode()).digest())
    return rows.select(order[:limit])
