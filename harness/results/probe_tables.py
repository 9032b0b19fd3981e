"""The record of a run's probes (probes.json): the measured rows, and their means over seeds.

Rows of different seeds are matched by their key columns: the `keys` of the probe's spec, and every column that is not
numeric. If the spec has no keys, rows with equal text columns are matched in their order. Several rows with the same
keys and seed are repeats, such as random draws: their mean is the seed's number, and with a single seed the interval is
over the repeats. Methods that share their checkpoints, and therefore measured the same, share a row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field, ValidationError

from harness._util.content_key import canonical_json
from harness._util.json_reading import parse_json
from harness._util.untrusted_file import read_untrusted
from harness.errors import UsageError
from harness.results.estimates import Estimate, estimate
from harness.results.leaderboard import Record
from harness.results.metrics import Score
from harness.results.probe_rows import ProbeRows, is_finite_number

SCHEMA_VERSION = 2
"""Schema 1 had bootstrap intervals. It is read as schema 2, with the means recomputed from the measured rows."""
FILE = "probes.json"


class RowsSpec(Protocol):
    """The part of a probe's spec that describes its rows: the key columns, and the column that numbers repeats."""

    @property
    def keys(self) -> Sequence[str]: ...

    @property
    def repeat(self) -> str | None: ...


class Measured(Record):
    """The rows of a probe for one seed, by one method or by several that measured the same."""

    methods: tuple[str, ...]
    seed: int
    rows: tuple[dict[str, Any], ...]


class MeanRow(Record):
    """The mean of the rows with the same keys. of: the keys. values: by column, over the table's seeds. repeats: the
    largest number of rows per seed."""

    methods: tuple[str, ...]
    of: dict[str, Any]
    values: dict[str, Estimate]
    repeats: int


class ProbeTable(Record):
    """A probe of the protocol. keys, repeat: from its spec, limited to columns that the rows have. measured: all rows.
    means: over `seeds`, in the order of the rows."""

    probe: str
    config: dict[str, Any]
    keys: tuple[str, ...]
    repeat: str | None
    seeds: tuple[int, ...]
    measured: tuple[Measured, ...]
    means: tuple[MeanRow, ...]


class ProbeRecord(Record):
    """All probes of a run. methods: the methods of the protocol, in its order."""

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schema")
    protocol: str
    methods: tuple[str, ...]
    tables: tuple[ProbeTable, ...]

    def to_json(self) -> str:
        """Returns the record as JSON with a final newline, one line per measured row and per mean."""
        data = self.model_dump(mode="json", by_alias=True)
        return _lines(data, 0) + "\n"

    def only(self, names: Sequence[str]) -> ProbeRecord:
        """Returns the record of the named probes, or of all if none is named. Raises UsageError for an unknown one."""
        known = list(dict.fromkeys(table.probe for table in self.tables))
        for name in names:
            if name not in known:
                raise UsageError(
                    f"no probe {name!r} was measured in {self.protocol}", hint=f"its probes are {', '.join(known)}"
                )
        kept = tuple(table for table in self.tables if not names or table.probe in names)
        return self.model_copy(update={"tables": kept})

    def rows(self) -> tuple[ProbeRows, ...]:
        """Returns the measured rows as they were read from the store."""
        return tuple(
            ProbeRows(probe=table.probe, method=method, seed=one.seed, rows=one.rows, config=table.config)
            for table in self.tables
            for one in table.measured
            for method in one.methods
        )

    @classmethod
    def read(cls, path: Path, *, upgrade: bool = True) -> ProbeRecord:
        """Returns the record in a file. Raises UsageError if it is missing, malformed, or has a newer schema.

        upgrade: recompute a record of an older schema from its rows.
        """
        try:
            text = read_untrusted(path).decode("utf-8")
            version = parse_json(text)["schema"]
            if version not in range(1, SCHEMA_VERSION + 1):
                raise UsageError(
                    f"this probe record has schema {version}; this version of the harness reads up to {SCHEMA_VERSION}",
                    where=str(path),
                )
            read = cls.model_validate_json(text)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise UsageError(f"this probe record is malformed: {place}: {fault['msg']}", where=str(path)) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"this probe record cannot be read: {type(error).__name__}: {error}", where=str(path)
            ) from error
        return read if version == SCHEMA_VERSION or not upgrade else recomputed(read)


def build_probe_record(
    protocol: str, methods: Sequence[str], probes: Iterable[ProbeRows], spec_of: Callable[[str], RowsSpec | None]
) -> ProbeRecord:
    """Returns the record of `probes`. spec_of: returns the spec of a probe by name, None if it is not installed."""
    grouped: dict[tuple[str, str], list[ProbeRows]] = {}
    for one in probes:
        grouped.setdefault((one.probe, canonical_json(one.config)), []).append(one)
    tables = []
    for (name, _), members in grouped.items():
        spec = spec_of(name)
        columns = {column for one in members for row in one.rows for column in row}
        tables.append(
            _table(
                probe=name,
                config=dict(members[0].config),
                keys=tuple(key for key in (spec.keys if spec else ()) if key in columns),
                repeat=spec.repeat if spec and spec.repeat in columns else None,
                measured=_measured(members),
            )
        )
    return ProbeRecord(protocol=protocol, methods=tuple(methods), tables=tuple(tables))


def inconsistencies(record: ProbeRecord) -> list[str]:
    """Returns a line for each table whose means do not match its rows. Nothing is measured again."""
    return [
        f"{table.probe}: its means do not match its rows"
        for table, again in zip(record.tables, recomputed(record).tables, strict=True)
        if not _same(again.model_dump(mode="json"), table.model_dump(mode="json"))
    ]


def recomputed(record: ProbeRecord) -> ProbeRecord:
    """Returns the record in the current schema, with its means and intervals recomputed from its rows."""
    tables = tuple(
        _table(probe=one.probe, config=one.config, keys=one.keys, repeat=one.repeat, measured=one.measured)
        for one in record.tables
    )
    return record.model_copy(update={"schema_version": SCHEMA_VERSION, "tables": tables})


def _measured(members: Sequence[ProbeRows]) -> tuple[Measured, ...]:
    found: dict[tuple[int, str], Measured] = {}
    for one in members:
        if not one.rows:
            continue
        place = one.seed, canonical_json(list(map(dict, one.rows)))
        known = found.get(place)
        methods = (*known.methods, one.method) if known else (one.method,)
        found[place] = Measured(methods=methods, seed=one.seed, rows=tuple(map(dict, one.rows)))
    return tuple(found.values())


def _table(
    *, probe: str, config: dict[str, Any], keys: tuple[str, ...], repeat: str | None, measured: tuple[Measured, ...]
) -> ProbeTable:
    seeds = tuple(sorted({one.seed for one in measured}))
    named = _key_columns(keys, repeat, [row for one in measured for row in one.rows])
    rows: dict[tuple[str, str], dict[int, list[dict[str, Any]]]] = {}
    for one in measured:
        for method in one.methods:
            seen: dict[str, int] = {}
            for row in one.rows:
                of = canonical_json([row.get(key) for key in named])
                seen[of] = seen.get(of, 0) + 1
                # Without keys from the probe's spec, only the order distinguishes two rows.
                place = of if keys else f"{of} {seen[of]}"
                rows.setdefault((method, place), {}).setdefault(one.seed, []).append(row)
    means: dict[str, MeanRow] = {}
    for (method, _), by_seed in rows.items():
        first = next(iter(by_seed.values()))[0]
        columns = [column for column in first if column not in named and column != repeat]
        mean = MeanRow(
            methods=(),
            of={key: first.get(key) for key in named},
            values={
                column: estimate([_of_seed(by_seed.get(seed, ()), column) for seed in seeds]) for column in columns
            },
            repeats=max(map(len, by_seed.values())),
        )
        same = mean.model_dump_json()
        shared = means.get(same, mean)
        means[same] = shared.model_copy(update={"methods": (*shared.methods, method)})
    return ProbeTable(
        probe=probe,
        config=config,
        keys=keys,
        repeat=repeat,
        seeds=seeds,
        measured=measured,
        means=tuple(means.values()),
    )


def _key_columns(keys: Sequence[str], repeat: str | None, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the keys and every column that is not numeric. A null among numbers is a missing number."""
    found = dict.fromkeys(keys)
    for column in dict.fromkeys(column for row in rows for column in row):
        values = [row.get(column) for row in rows]
        if column != repeat and not all(value is None or is_finite_number(value) for value in values):
            found[column] = None
    return list(found)


def _of_seed(rows: Sequence[Mapping[str, Any]], column: str) -> Score | None:
    values = [float(row[column]) for row in rows if is_finite_number(row.get(column))]
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Score(mean, None, 1)
    spread = estimate([Score(value, None, 1) for value in values]).ci95
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Score(mean, math.sqrt(variance / len(values)), len(values), spread, "sampling" if spread else None)


def _same(one: Any, other: Any) -> bool:
    """Returns whether two JSON values are equal, numbers up to 9 digits because the order of summation may differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if is_finite_number(one) and is_finite_number(other):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _lines(value: Any, depth: int) -> str:
    """Returns JSON in which values nested deeper than `_DEEPEST` are on one line."""
    if depth > _DEEPEST or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    inside, outside = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_lines(item, depth + 1)}" for key, item in value.items()]
        return "{" + inside + f",{inside}".join(parts) + outside + "}"
    return "[" + inside + f",{inside}".join(_lines(item, depth + 1) for item in value) + outside + "]"


_DEEPEST = 5
"""The depth of a measured row or a mean in the record, so that each has its own line."""
