"""What `harness plan` learns from local files of rows without loading them as a data set."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from harness.domains.data.local_files import first_rows
from harness.domains.data.source import DataSource

EXAMPLES = 64
"""The number of rows that are read."""
_ROWS_ARE_LINES = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv"})


def example_rows(source: DataSource, *, text: Collection[str] = ()) -> list[dict[str, Any]]:
    """Returns the first rows of local files; none for a data set of the hub and for Parquet files.

    text: the columns to read as text. Imports neither datasets nor torch. Raises UsageError if a row cannot be read.
    """
    return first_rows(source.files(), text, EXAMPLES)


def most_rows(source: DataSource, *limits: int | None) -> int | None:
    """Returns an upper bound on the rows that are used of a source, or None if nothing bounds them.

    limits: numbers of which the lowest is the bound too, unless they are None. Local files with one row a line have no
    more rows than lines; nothing else of the data is read.
    """
    lines = [_lines(path) for path in source.files()]
    known = [count for count in lines if count is not None]
    of_files = sum(known) if known and len(known) == len(lines) else None
    return min((bound for bound in (*limits, of_files) if bound is not None), default=None)


def _lines(path: Path) -> int | None:
    """Returns the number of lines that are not blank, None if a line may hold several rows."""
    if path.suffix.lower() not in _ROWS_ARE_LINES:
        return None
    with path.open("rb") as file:
        count = 0
        for line in file:
            if count == 0 and line.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
                return None  # a list of rows
            count += bool(line.strip())
    return count
