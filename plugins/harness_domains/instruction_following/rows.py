"""Loads a table of prompts and constraints, and reports rows whose constraints cannot be checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import UsageError
from harness.domains import SOURCE_ROW, is_a_request, load_table
from harness_domains.instruction_following.checkers import Constraint, constraints_of, ifeval
from harness_domains.instruction_following.config import InstructionTable
from harness_domains.instruction_following.sentence_data import SPLITTING, fetch_sentence_data

Message = dict[str, str]


@dataclass(frozen=True)
class Row:
    """A prompt as messages that end with the user's, its constraints, and its place in the data."""

    messages: list[Message]
    constraints: list[Constraint]
    place: str = ""

    @property
    def text(self) -> str:
        """The contents of the messages, or the text of a single one."""
        return "\n".join(message["content"] for message in self.messages)


def load_rows(table: InstructionTable, *, single: bool = False, chance: bool = False) -> list[Row]:
    """Returns the table's rows whose constraints can all be checked.

    chance: see Constraint.fault. single: require prompts of one message. Downloads nltk data if a constraint needs
    them. Raises UsageError if the data cannot be loaded or read, if columns are missing, if rows are faulty and not to
    be skipped, or if no row is left.
    """
    ifeval()
    values, places = _values(table)
    rows: list[Row] = []
    faults: list[str] = []
    parsed: list[Row | str] = [_parsed(*value, single=single) for value in values]
    if any(one.identifier in SPLITTING for row in parsed if isinstance(row, Row) for one in row.constraints):
        fetch_sentence_data()
    for place, row in zip(places, parsed, strict=True):
        fault = row if isinstance(row, str) else _first_fault(row.constraints, chance)
        if fault is not None:
            faults.append(f"{place}: {fault}")
        elif isinstance(row, Row):
            rows.append(replace(row, place=place))
    if faults and (table.faulty_rows == "refuse" or not rows):
        raise UsageError(
            f"{len(faults)} of the {len(parsed)} rows cannot be used, the first of them {faults[0]}",
            where=table.place(),
            hint="correct them, name other columns, or leave such rows out with faulty_rows: skip",
        )
    return rows


def _values(table: InstructionTable) -> tuple[Iterator[tuple[Any, Any, Any]], list[str]]:
    """Returns the prompt, ids and arguments of each row, and the places of the rows."""
    columns = table.columns()
    roots: dict[str, str] = {}
    for name, text in columns.items():
        root, dot, field = name.partition(".")
        part = f"in its field {field} {text}" if dot else text
        roots[root] = f"{roots[root]}, {part}" if root in roots else part
    rows = load_table(table, roots)
    held = {root: list(rows[root]) for root in roots}
    return zip(*(_column(held, name, table, roots) for name in columns), strict=True), rows[SOURCE_ROW][:]


def _column(held: Mapping[str, list[Any]], name: str, table: InstructionTable, roots: Mapping[str, str]) -> list[Any]:
    root, dot, field = name.partition(".")
    if not dot:
        return held[root]
    if not any(isinstance(value, dict) and field in value for value in held[root]):
        raise UsageError(
            f"the column {root} has no field {field}",
            where=table.place(),
            hint="required columns: " + "; ".join(f"{column}: {text}" for column, text in roots.items()),
        )
    return [value.get(field) if isinstance(value, dict) else None for value in held[root]]


def _parsed(prompt: Any, identifiers: Any, arguments: Any, *, single: bool) -> Row | str:
    """Returns a row, or why it is faulty."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if not is_a_request(messages):
        return f"the prompt is {prompt!r:.60}, neither text nor messages with role and content that end with the user's"
    if single and len(messages) > 1:
        return f"the prompt has {len(messages)} messages, and one is wanted; format: chat trains on more"
    try:
        constraints = constraints_of(identifiers, arguments)
    except ValueError as error:
        return str(error)
    return Row([{"role": message["role"], "content": message["content"]} for message in messages], constraints)


def _first_fault(constraints: Sequence[Constraint], chance: bool) -> str | None:
    return next((fault for one in constraints if (fault := one.fault(chance=chance)) is not None), None)
