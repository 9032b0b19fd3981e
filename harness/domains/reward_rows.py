"""Scores the rows of a JSON-lines file with one reward."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from harness.domains.completions import whole_completion
from harness.domains.data.json_lines import json_lines
from harness.domains.scoring import score_rewards
from harness.errors import UsageError
from harness.plugin.interfaces import Outcome, Reward, RewardBatch, RewardResult

BATCH = 256
NOT_ERROR = "not error"
FAILURES = frozenset({"error", "timeout"})


class WrittenFloat(float):
    """A float whose text is its JSON literal, so that a reward that reads text gets `8.50`, as from a data file."""

    __slots__ = ("literal",)

    def __new__(cls, literal: str) -> WrittenFloat:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    literal: str

    def __str__(self) -> str:
        return self.literal


@dataclass(frozen=True, kw_only=True)
class RewardRow:
    """A row to score.

    line: its line in the file. columns: the other columns, which the reward may read. expected: the expected value or
    outcome. compared: whether the row has the column `expected`.
    """

    line: int
    prompt: Any
    completion: str
    columns: Mapping[str, Any]
    expected: float | str | None = None
    compared: bool = False

    def agrees(self, result: RewardResult) -> bool:
        """Returns whether `result` is as expected: the value within 1e-9, no value for null, or the outcome."""
        if self.expected == NOT_ERROR:
            return result.outcome in ("ok", "abstain")
        if isinstance(self.expected, str):
            return result.outcome == self.expected
        if self.expected is None or result.value is None:
            return self.expected is result.value
        return math.isclose(self.expected, result.value, rel_tol=1e-9, abs_tol=1e-9)


@dataclass(frozen=True)
class ScoredRow:
    """A row and its result."""

    row: RewardRow
    result: RewardResult

    def as_json(self) -> dict[str, Any]:
        """Returns one line of the JSON output as plain data."""
        data = {"row": self.row.line, **_plain(self.result)}
        if self.row.compared:
            data |= {"expected": self.row.expected, "agrees": self.row.agrees(self.result)}
        return data


@dataclass
class RewardTally:
    """Counts over scored rows: outcomes, the sum of the values, and the comparison with expected results."""

    outcomes: dict[str, int] = field(default_factory=dict)
    total: float = 0.0
    compared: int = 0
    differing: list[int] = field(default_factory=list)
    first_failure: str = ""

    @property
    def all_failed(self) -> bool:
        """Whether every row's outcome is an error or a timeout."""
        return bool(self.outcomes) and self.outcomes.keys() <= FAILURES

    def add(self, scored: ScoredRow) -> None:
        """Counts one row."""
        outcome = scored.result.outcome
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome in FAILURES:
            self.first_failure = self.first_failure or scored.result.detail
        self.total += scored.result.value or 0.0
        if scored.row.compared:
            self.compared += 1
            if not scored.row.agrees(scored.result):
                self.differing.append(scored.row.line)

    def describe(self) -> str:
        """Returns a summary in one line."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
        text = f"{sum(self.outcomes.values())} rows: {counts}"
        if self.outcomes.get("ok"):
            text += f"; mean value {self.total / self.outcomes['ok']:.4g}"
        if self.compared:
            text += f"; {self.compared - len(self.differing)} of {self.compared} as expected"
        if self.differing:
            shown = ", ".join(map(str, self.differing[:20])) + (", …" if len(self.differing) > 20 else "")
            text += f", not rows {shown}"
        return text


def read_rows(content: bytes, where: str, columns: Mapping[str, str]) -> list[RewardRow]:
    """Returns the rows of a file. columns: the file's name of a column, by the name that the reward reads.

    Raises UsageError with the line for a row that cannot be scored.
    """
    rows = [_row(line, data, f"{where}:{line}", columns) for line, data in json_lines(content, where, number=_number)]
    if not rows:
        raise UsageError("has no rows", where=where, hint='write one {"prompt": …, "completion": …} per line')
    return rows


def score_rows(reward: Reward, rows: Sequence[RewardRow], label: str) -> Iterator[ScoredRow]:
    """Yields each row's result, in order. Raises PluginError if the reward breaks its contract."""
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        batch = RewardBatch(
            prompts=[row.prompt for row in chosen],
            completions=[row.completion for row in chosen],
            rows=[row.columns for row in chosen],
        )
        for row, result in zip(chosen, score_rewards(reward, batch, label=label), strict=True):
            yield ScoredRow(row, result)


def _row(line: int, data: Mapping[str, Any], where: str, columns: Mapping[str, str]) -> RewardRow:
    absent = [column for column in columns.values() if column not in data]
    if absent:
        raise UsageError(
            f"has no column {absent[0]!r}", where=where, hint=f"the row has {', '.join(data) or 'no columns'}"
        )
    read = {**data, **{name: data[column] for name, column in columns.items()}}
    if "completion" not in read:
        raise UsageError(
            "has no column 'completion'",
            where=where,
            hint=f"the row has {', '.join(data) or 'no columns'}; --column completion=NAME reads another column",
        )
    prompt, completion = read.pop("prompt", ""), _text(read.pop("completion"), f"{where}: completion")
    if not isinstance(prompt, str):
        _text(prompt, f"{where}: prompt")
    else:
        completion = whole_completion(prompt, completion)
    compared = "expected" in read
    expected = _expected(read.pop("expected"), where) if compared else None
    return RewardRow(
        line=line, prompt=prompt, completion=completion, columns=read, expected=expected, compared=compared
    )


def _number(literal: str) -> int | float:
    return WrittenFloat(literal) if any(sign in literal for sign in ".eE") else int(literal)


def _text(value: Any, where: str) -> str:
    """Returns the text of a string, or of the contents of chat messages."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_message(message) for message in value):
        return "".join(message["content"] for message in value)
    raise UsageError("should be a string or a list of chat messages", where=where)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("content"), str) and isinstance(value.get("role"), str)


def _expected(value: Any, where: str) -> float | str | None:
    outcomes = (*get_args(Outcome), NOT_ERROR)
    if value is None or value in outcomes:
        return str(value) if isinstance(value, str) else None
    if isinstance(value, int | float):
        return float(value)
    raise UsageError(
        f"expected is {value!r:.60}",
        where=where,
        hint=f"give a number, null for no value, or one of {', '.join(map(repr, outcomes))}",
    )


def _plain(result: RewardResult) -> dict[str, Any]:
    data: dict[str, Any] = {"value": result.value, "outcome": result.outcome, "detail": result.detail}
    if result.parts:
        data["parts"] = {name: _plain(part) for name, part in result.parts.items()}
    return data
