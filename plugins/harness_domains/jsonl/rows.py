"""Training rows and test items, which never share a prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import UsageError
from harness.domains import SOURCE_ROW, SOURCE_TEXT, DataSource, as_text, load_table, nested_subset
from harness_domains.jsonl.config import JsonlConfig, template_columns

if TYPE_CHECKING:
    from datasets import Dataset


def training_rows(config: JsonlConfig) -> Dataset:
    """Returns the training rows: `prompt`, `answer` as text or list of texts, the columns of `keep`, `source_row` and
    `source_text`.

    Rows with the prompt of a test item are left out. Raises UsageError if the data do not match the config.
    """
    rows, source = _prepared(config, config), config.test_source()
    if source is None:
        kept = [i for i, text in enumerate(rows["prompt"]) if not _held_out(text, config.test_share)]
    else:
        tested = set(_prepared(config, source)["prompt"])
        kept = [i for i, text in enumerate(rows["prompt"]) if text not in tested]
    return nested_subset(_some(rows.select(kept), config, "training"), config.prompts, config.subset_seed, "prompt")


def test_items(config: JsonlConfig) -> Dataset:
    """Returns the held-out items, no prompt twice, with the columns of the training rows.

    Items whose answer the scoring rule cannot read are included. Raises UsageError if the data do not match the config,
    or if no item can be judged.
    """
    source = config.test_source()
    rows = _prepared(config, source or config)
    first = {text: i for i, text in reversed(list(enumerate(rows["prompt"])))}
    kept = sorted(i for text, i in first.items() if source is not None or _held_out(text, config.test_share))
    items = nested_subset(_some(rows.select(kept), config, "test"), config.test_items, config.subset_seed, "prompt")
    faults = [config.rule().unjudgeable({config.rule().answer_column: answer}) for answer in items["answer"]]
    if all(faults):
        raise UsageError(
            f"no test item can be judged: {faults[0]}",
            where=items[0][SOURCE_ROW],
            hint="correct the answers, or choose another `score`",
        )
    return items


def _held_out(prompt: str, share: float) -> bool:
    """Returns whether a prompt is a test item. This depends only on its text, so that adding rows moves no others."""
    number = int.from_bytes(hashlib.sha256(f"held out/{prompt}".encode()).digest()[:8], "big")
    return number < share * 2**64


def _prepared(config: JsonlConfig, source: DataSource) -> Dataset:
    from datasets import Dataset

    rows = load_table(source, config.columns(), text=config.text_columns())
    shown = template_columns(config.template) or [config.prompt]
    prompts, texts, answers = [], [], []
    for row in rows:
        for column in {config.prompt, *shown}:
            if not isinstance(row[column], str) or (column == config.prompt and not row[column].strip()):
                raise UsageError(
                    f"the row has {row[column]!r:.60} in the column {column}",
                    where=row[SOURCE_ROW],
                    hint="every row needs a prompt, and text or numbers in the columns of the template",
                )
        answers.append(_answer(row, config.answer))
        prompts.append(config.rendered(row))
        texts.append("\n".join(row[column] for column in dict.fromkeys(shown)))
    kept = {name: rows[name][:] for name in (*config.keep, SOURCE_ROW)}
    return Dataset.from_dict(kept | {"prompt": prompts, "answer": answers, SOURCE_TEXT: texts})


def _answer(row: Mapping[str, Any], column: str) -> Any:
    """Returns the answer of a row: text, a list of texts, or None if it is missing.

    column: its name, or `a.b` for a field of a column. Raises UsageError for any other answer.
    """
    name, dot, field = column.partition(".")
    answer, where = row[name], row[SOURCE_ROW]
    if dot:
        if not isinstance(answer, dict) or field not in answer:
            raise UsageError(f"the column {name} has no field {field}", where=where, hint="set `answer` to the column")
        answer = as_text(answer[field])
    for part in answer if isinstance(answer, list) else [answer]:
        if part is not None and not isinstance(part, str):
            raise UsageError(
                f"the row has {part!r:.60} in the column {column}",
                where=where,
                hint="an answer is text, a number, or a list of those",
            )
    return answer


def _some(rows: Dataset, config: JsonlConfig, what: str) -> Dataset:
    if len(rows) == 0:
        raise UsageError(
            f"no {what} rows are left",
            where=", ".join(map(str, config.files())) or str(config.dataset),
            hint="give more rows, another test_share, or test_files that are not the training rows",
        )
    return rows
