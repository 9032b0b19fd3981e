"""Tables of a run's provenance and of how its columns were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from harness.report.tables.layout import MISSING, TextTable, header
from harness.results.leaderboard import Leaderboard


def measurement_table(leaderboard: Leaderboard) -> TextTable:
    """Returns one row per task of a column: lm-eval's metric and filter, direction, limit, batch size, seed, digest."""
    rows = []
    for column in leaderboard.columns:
        one = leaderboard.measurement.get(column)
        for task in one.tasks if one else ():
            rows.append(
                (
                    header(leaderboard, column),
                    task.task,
                    task.metric,
                    task.filter,
                    "higher" if one and one.higher_is_better else "lower",
                    "all" if not one or one.limit is None else str(one.limit),
                    str(one.batch_size if one else MISSING),
                    str(one.seed if one else MISSING),
                    (task.task_hash or MISSING)[:12],
                )
            )
    return TextTable(
        title="How the columns were measured",
        subtitle="With lm-eval; a column is the mean of its tasks",
        columns=("Column", "Task", "Metric", "Filter", "Better", "Limit", "Batch size", "Seed", "Task digest"),
        rows=tuple(rows),
    )


def provenance_tables(provenance: Mapping[str, Any]) -> list[TextTable]:
    """Returns tables of the environment, plugins, packages and commands of a run. Empty tables are omitted."""
    tables = [
        _table("Environment", ("Item", "Value"), list(_environment(provenance))),
        _table("Plugins", ("Distribution", "Version"), _pairs(provenance.get("plugins"))),
        _table("Packages", ("Package", "Version"), _pairs(provenance.get("packages"))),
        _table(
            "Commands",
            ("Started (UTC)", "Ended (UTC)", "Command", "Computed", "Failed", "Stopped"),
            _commands(provenance),
        ),
    ]
    found = [table for table in tables if table.rows]
    return found or [_table("Environment", ("Item", "Value"), [("provenance", "not recorded")])]


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> TextTable:
    return TextTable(title=title, subtitle="", columns=columns, rows=tuple(rows))


def _environment(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("plan", "seeds", "python", "platform"):
        if key in provenance:
            yield key, _text(provenance[key])
    for place, state in _mapping(provenance.get("git")).items():
        if isinstance(state, Mapping):
            changed = "with uncommitted changes" if state.get("dirty") else "clean"
            untracked = state.get("untracked")
            more = f", {untracked} untracked files" if untracked else ""
            yield f"git: {str(place).replace('_', ' ')}", f"{state.get('revision')}, {changed}{more}"
        else:
            yield f"git: {str(place).replace('_', ' ')}", _text(state)
    for key, value in _mapping(provenance.get("hardware")).items():
        yield f"hardware: {str(key).replace('_', ' ')}", _text(value)
    known = {"schema", "plan", "seeds", "python", "platform", "git", "hardware", "plugins", "packages", "invocations"}
    for key, value in provenance.items():
        if key not in known and value not in ([], {}, None):
            yield str(key).replace("_", " "), _text(value)


def _commands(provenance: Mapping[str, Any]) -> list[tuple[str, ...]]:
    invocations = provenance.get("invocations")
    rows = []
    for one in invocations if isinstance(invocations, list) else ():
        if isinstance(one, Mapping):
            command = one.get("command")
            words = " ".join(map(str, command)) if isinstance(command, list) else _text(command)
            numbers = [_text(one.get(key)) for key in ("executed", "failed", "stopped")]
            rows.append((_moment(one.get("started")), _moment(one.get("ended")), words, *numbers))
    return rows


def _moment(value: Any) -> str:
    """Returns a UTC time to the second, `2026-11-21 16:06:12`, and any other value unchanged."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _text(value)
    return _text(value) if moment.utcoffset() else f"{moment:%Y-%m-%d %H:%M:%S}"


def _pairs(value: Any) -> list[tuple[str, ...]]:
    return [(str(key), _text(item)) for key, item in _mapping(value).items()]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if value is None or value in ("", []):
        return MISSING
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return str(value)
