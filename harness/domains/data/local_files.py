"""Reads local files of rows. A column that a domain reads as text keeps the text of the file.

In such a column no types are inferred: `9` beside `0.5` stays `9`, and `007`, `8.50`, `10000000000000000000000000` and
`2024-03-01` are unchanged.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from bisect import bisect_left
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.domains.data.json_lines import decoded, json_lines, json_list
from harness.domains.data.text_values import NumberText, as_texts
from harness.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
Rows = Iterator[tuple[str, Row]]
"""Rows with their places: the file, and the line or row in it."""

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class LocalTable:
    """The rows of local files, and the place of each: `mine.jsonl:3`."""

    rows: Dataset
    places: Sequence[str]


def read_local(files: Sequence[Path], text: Collection[str]) -> LocalTable:
    """Returns the rows of the files, which must have one format. text: the columns to read as text; `a.b` is a field.

    Raises UsageError with the file and row if one cannot be read.
    """
    kinds = {path.suffix.lower() for path in files}
    if kinds == {".parquet"}:
        return _parquet(files)
    readers = {_READERS.get(kind) for kind in kinds}
    if len(readers) != 1 or None in readers:
        raise UsageError(
            "the data files do not all have one known format",
            where=", ".join(map(str, files)),
            hint=f"known extensions are {', '.join((*_READERS, '.parquet'))}",
        )
    [reader] = readers
    assert reader is not None
    places: list[str] = []
    rows: list[Row] = []
    for path in files:
        for place, row in reader(_content(path), str(path), text):
            places.append(place)
            rows.append(row)
    return LocalTable(_dataset(rows, places, text), places)


def first_rows(files: Sequence[Path], text: Collection[str], count: int) -> list[Row]:
    """Returns the first rows of the first file, read as by `read_local`; none of a Parquet file. Imports neither
    datasets nor pyarrow. Raises UsageError if a row cannot be read."""
    reader = _READERS.get(files[0].suffix.lower()) if files else None
    if reader is None:
        return []
    return [row for _, row in islice(reader(_content(files[0]), str(files[0]), text), count)]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the data file cannot be read: {error.strerror or error}", where=str(path)) from None
    if not content.removeprefix(BOM_UTF8).strip():
        raise UsageError("the data file is empty", where=str(path), hint="give a file with one row for each prompt")
    return content


def _json_rows(content: bytes, where: str, text: Collection[str]) -> Rows:
    if content.removeprefix(BOM_UTF8).lstrip().startswith(b"["):
        for number, row in json_list(content, where, number=NumberText):
            yield f"{where}, row {number}", _read_columns(row, text, f"{where}, row {number}")
    else:
        for line, row in json_lines(content, where, number=NumberText):
            yield f"{where}:{line}", _read_columns(row, text, f"{where}:{line}")


def _read_columns(row: Row, text: Collection[str], place: str) -> Row:
    """Returns the row with number literals in the columns of `text`, and Python numbers in all others."""
    try:
        return {name: _read(value, name, text) for name, value in row.items()}
    except ValueError as error:
        raise UsageError(f"a number cannot be read: {error}", where=place) from None


def _read(value: Any, path: str, text: Collection[str]) -> Any:
    if path in text:
        return value
    if isinstance(value, dict):
        return {name: _read(item, f"{path}.{name}", text) for name, item in value.items()}
    return _natural(value)


def _natural(value: Any) -> Any:
    if isinstance(value, NumberText):
        return value.number()
    if isinstance(value, list):
        return [_natural(item) for item in value]
    if isinstance(value, dict):
        return {name: _natural(item) for name, item in value.items()}
    return value


def _comma_separated(content: bytes, where: str, text: Collection[str]) -> Rows:
    return _separated(content, where, text, ",")


def _tab_separated(content: bytes, where: str, text: Collection[str]) -> Rows:
    return _separated(content, where, text, "\t")


def _separated(content: bytes, where: str, text: Collection[str], delimiter: str) -> Rows:
    lines = list(_split(decoded(content, where), where, delimiter))
    _, header = lines[0]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UsageError(f"the header has the column {twice!r} twice", where=f"{where}:1", hint="rename one of them")
    for line, fields in lines[1:]:
        if len(fields) != len(header):
            raise UsageError(
                f"the row has {len(fields)} fields, but the header has {len(header)}",
                where=f"{where}:{line}",
                hint='quote a field that contains the separator, as in "red, or blue"',
            )
    columns = {name: [fields[index] for _, fields in lines[1:]] for index, name in enumerate(header)}
    read = {name: values if name in text else _typed(values) for name, values in columns.items()}
    for index, (line, _) in enumerate(lines[1:]):
        yield f"{where}:{line}", {name: values[index] for name, values in read.items()}


def _split(content: str, where: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of the first line and the fields of every row that is not blank."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"the row cannot be read: {error}",
            where=f"{where}:{line}",
            hint='double a quote inside a quoted field, as in "he said ""yes"""',
        ) from None


def _typed(values: Sequence[str]) -> Sequence[Any]:
    """Returns numbers if all values of a column are JSON numbers, else the texts."""
    if all(_INTEGER.fullmatch(value) for value in values):
        return [int(value) for value in values]
    if all(_NUMBER.fullmatch(value) for value in values):
        return [float(value) for value in values]
    return values


_READERS: Mapping[str, Callable[[bytes, str, Collection[str]], Rows]] = {
    ".json": _json_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".csv": _comma_separated,
    ".tsv": _tab_separated,
}


def _parquet(files: Sequence[Path]) -> LocalTable:
    import pyarrow as pa
    from datasets import Dataset
    from pyarrow import parquet

    tables, places = [], []
    for path in files:
        try:
            table = parquet.read_table(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UsageError(
                f"the data file cannot be read: {str(error).splitlines()[0]}",
                where=str(path),
                hint="write the file again",
            ) from None
        tables.append(table)
        places += [f"{path}, row {row}" for row in range(1, len(table) + 1)]
    try:
        whole = pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException as error:
        raise UsageError(
            f"the data files have different columns: {str(error).splitlines()[0]}", where=", ".join(map(str, files))
        ) from None
    return LocalTable(Dataset(whole), places)


def _dataset(rows: Sequence[Row], places: Sequence[str], text: Collection[str]) -> Dataset:
    import pyarrow as pa
    from datasets import Dataset

    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    columns |= {name: as_texts(columns[name]) for name in text if name in columns}
    return Dataset(pa.table({name: _column(name, values, places) for name, values in columns.items()}))


def _column(name: str, values: Sequence[Any], places: Sequence[str]) -> Any:
    """Returns an Arrow column. Raises UsageError with the first row whose value has another type."""
    import pyarrow as pa

    faults = (pa.ArrowException, ValueError, OverflowError, TypeError)
    try:
        return pa.array(values)
    except faults as error:
        index = bisect_left(range(len(values)), True, key=lambda last: _fails(values[: last + 1], faults))
        raise UsageError(
            f"the column {name} has {values[index]!r:.60}, which has another type than the rows before it"
            f" ({str(error).splitlines()[0]:.120})",
            where=places[index],
            hint="use one type per column: all numbers, all texts, or all lists",
        ) from None


def _fails(values: Sequence[Any], faults: tuple[type[Exception], ...]) -> bool:
    import pyarrow as pa

    try:
        pa.array(values)
    except faults:
        return True
    return False
