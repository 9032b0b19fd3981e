"""Loads a table of problems into the two columns that prompts, rewards and tasks read: `problem` and `answer`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import UsageError
from harness.data import fetch_file, load_table
from harness_math.answers import last_boxed
from harness_math.tables import ProblemTable

if TYPE_CHECKING:
    from datasets import Dataset


def load_problems(table: ProblemTable) -> Dataset:
    """Returns the table's problems and their reference answers, both text, without those that have no answer.

    Raises UsageError where the data cannot be had or read, columns are missing, or no problem has an answer.
    """
    from datasets import Dataset

    assert table.problem_column is not None and table.answer_column is not None  # all presets have them
    columns = {table.problem_column: "the problem's text", table.answer_column: _held(table)}
    problems: list[str] = []
    answers: list[str] = []
    for source in _sources(table):
        rows = load_table(source, {name.partition(".")[0]: text for name, text in columns.items()})
        problems += map(str, _column(rows, table.problem_column, columns))
        answers += (
            _answer(str("" if text is None else text), table) for text in _column(rows, table.answer_column, columns)
        )
    kept = [index for index, answer in enumerate(answers) if answer]
    if not kept:
        raise UsageError(
            f"no problem has an answer: the column {table.answer_column} holds none",
            where=str(table.data_files or table.dataset),
            hint=f"it is read as {_held(table)}; set answer_form to whole, after-hashes or last-boxed",
        )
    return Dataset.from_dict({"problem": [problems[i] for i in kept], "answer": [answers[i] for i in kept]})


def _held(table: ProblemTable) -> str:
    return {
        "whole": "the answer alone",
        "after-hashes": "a solution with the answer after ####",
        "last-boxed": "a solution with the answer in its last \\boxed{}",
    }[table.answer_form or "whole"]


def _sources(table: ProblemTable) -> Iterable[ProblemTable]:
    if table.files():
        return [table]
    if table.hub_file is not None:
        return [table.model_copy(update={"data_files": _fetched(table)})]
    return [table.model_copy(update={"subset": subset}) for subset in table.subsets or (table.subset,)]


def _fetched(table: ProblemTable) -> Path:
    assert table.dataset is not None and table.hub_file is not None
    return fetch_file(table.on_hub(), table.hub_file)


def _column(rows: Dataset, name: str, columns: dict[str, str]) -> list[Any]:
    """Returns a column, or the field of a struct column for a name with a dot."""
    root, dot, field = name.partition(".")
    values = list(rows[root])
    if not dot:
        return values
    if not all(isinstance(value, dict) and field in value for value in values):
        raise UsageError(
            f"the column {root} has no field {field}",
            hint="the columns wanted are " + "; ".join(f"{column}: {text}" for column, text in columns.items()),
        )
    return [value[field] for value in values]


def _answer(text: str, table: ProblemTable) -> str:
    if table.answer_form == "after-hashes":
        return text.rpartition("####")[2].strip() if "####" in text else ""
    if table.answer_form == "last-boxed":
        return (last_boxed(text) or "").strip()
    return text.strip()
