"""Loads a table of problems with the columns `problem` and `answer`, which prompts, rewards and tasks read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import UsageError
from harness.domains import SOURCE_ROW, as_text, fetch_file, load_table
from harness_domains.math.answers import last_boxed
from harness_domains.math.tables import ProblemTable

if TYPE_CHECKING:
    from datasets import Dataset


def load_problems(table: ProblemTable) -> Dataset:
    """Returns the table's problems and reference answers, both as text, and `source_row`, the place of each.

    A missing answer is empty. Raises UsageError if the data cannot be loaded or read, if columns are missing, if a
    value is not text, or if no problem has an answer.
    """
    from datasets import Dataset

    assert table.problem_column is not None and table.answer_column is not None  # all presets have them
    columns = {table.problem_column: "the problem's text", table.answer_column: _held(table)}
    read: dict[str, list[str]] = {"problem": [], "answer": [], SOURCE_ROW: []}
    for source in _sources(table):
        roots = {name.partition(".")[0]: text for name, text in columns.items()}
        rows = load_table(source, roots, text=tuple(columns))
        places = rows[SOURCE_ROW][:]
        read[SOURCE_ROW] += places
        read["problem"] += _texts(rows, table.problem_column, columns, places)
        read["answer"] += (_answer(text, table) for text in _texts(rows, table.answer_column, columns, places))
    if not any(read["answer"]):
        raise UsageError(
            f"no problem has an answer: the column {table.answer_column} holds none",
            where=str(table.data_files or table.dataset),
            hint=f"it is read as {_held(table)}; set answer_form to whole, after-hashes or last-boxed",
        )
    return Dataset.from_dict(read)


def with_answers(problems: Dataset) -> Dataset:
    """Returns the problems that have an answer."""
    return problems.select([index for index, answer in enumerate(problems["answer"]) if answer])


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


def _texts(rows: Dataset, name: str, columns: dict[str, str], places: Sequence[str]) -> Iterator[str]:
    """Yields the texts of a column, or of a struct's field for a name with a dot; "" for a missing value.

    Raises UsageError with the row for a list or an object.
    """
    root, dot, field = name.partition(".")
    values = list(rows[root])
    if dot and not all(isinstance(value, dict) and field in value for value in values):
        raise UsageError(
            f"the column {root} has no field {field}",
            hint="the columns wanted are " + "; ".join(f"{column}: {text}" for column, text in columns.items()),
        )
    for value, place in zip(values, places, strict=True):
        text = as_text(value[field] if dot else value)
        if text is not None and not isinstance(text, str):
            raise UsageError(
                f"the row has {text!r:.60} in the column {name}, not text",
                where=place,
                hint="write one answer; where any of several is right, use the domain jsonl with reward: math-verify,"
                " which reads a list that way",
            )
        yield text or ""


def _answer(text: str, table: ProblemTable) -> str:
    if table.answer_form == "after-hashes":
        return text.rpartition("####")[2].strip() if "####" in text else ""
    if table.answer_form == "last-boxed":
        return (last_boxed(text) or "").strip()
    return text.strip()
