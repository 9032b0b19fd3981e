"""Loads a domain's rows and says, where they are not as they should be, exactly what is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.hub import first_line
from harness.data.hub_table import load_hub_table
from harness.data.source import DataSource
from harness.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

_READERS = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".parquet": "parquet"}


def load_table(source: DataSource, columns: Mapping[str, str]) -> Dataset:
    """Returns the rows of `source`, which have at least `columns`: a column's name to what it holds, for people.

    Raises UsageError where the data cannot be had (missing, gated, no such revision, offline), a file cannot be read,
    or columns are missing.
    """
    files = source.files()
    if files:
        rows, where = _local(files), ", ".join(map(str, files))
    else:
        rows = load_hub_table(source)
        where = f"{source.dataset} at {source.revision or 'main'}, split {source.split}"
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
    return rows


def nested_subset(rows: Dataset, limit: int | None, seed: int, column: str) -> Dataset:
    """Returns `limit` rows, all for None, in an order fixed by `seed` and the text of `column`.

    A smaller limit gives a prefix of a larger one's rows, and other rows added to the data leave the order of these.
    """
    texts = list(rows[column])
    order = sorted(range(len(texts)), key=lambda i: hashlib.sha256(f"{seed}/{texts[i]}".encode()).digest())
    return rows.select(order[:limit])


def _local(files: tuple[Path, ...]) -> Dataset:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    kinds = {_READERS.get(path.suffix.lower()) for path in files}
    if len(kinds) != 1 or None in kinds:
        raise UsageError(
            "the data files are not all of one known kind",
            where=", ".join(map(str, files)),
            hint=f"known endings are {', '.join(_READERS)}",
        )
    try:
        return load_dataset(kinds.pop(), data_files=[str(path) for path in files], split="train")
    except (DatasetsError, ValueError, OSError) as error:
        cause = error.__cause__ or error
        raise UsageError(
            f"the data file cannot be read: {first_line(cause)}",
            where=", ".join(map(str, files)),
            hint="mend the file, or save it again",
        ) from error
