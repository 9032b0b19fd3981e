"""Training rows and test items, which never share a prompt."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harness import UsageError
from harness.data import DataSource, load_table, nested_subset
from harness_jsonl.config import JsonlConfig

if TYPE_CHECKING:
    from datasets import Dataset


def training_rows(config: JsonlConfig) -> Dataset:
    """Returns the rows to train on: `prompt` as text, `answer` as text or a list of texts, and the columns to keep.

    A row whose prompt is a test item's is left out. Raises UsageError where the data are not as the config says.
    """
    rows, source = _prepared(config, config), config.test_source()
    if source is None:
        kept = [i for i, text in enumerate(rows["prompt"]) if not _held_out(text, config.test_share)]
    else:
        tested = set(_prepared(config, source)["prompt"])
        kept = [i for i, text in enumerate(rows["prompt"]) if text not in tested]
    return nested_subset(_some(rows.select(kept), config, "training"), config.prompts, config.subset_seed, "prompt")


def test_items(config: JsonlConfig) -> Dataset:
    """Returns the items that are held out, no prompt twice, with the columns of the training rows.

    Raises UsageError where the data are not as the config says.
    """
    source = config.test_source()
    rows = _prepared(config, source or config)
    first = {text: i for i, text in reversed(list(enumerate(rows["prompt"])))}
    kept = sorted(i for text, i in first.items() if source is not None or _held_out(text, config.test_share))
    return nested_subset(_some(rows.select(kept), config, "test"), config.test_items, config.subset_seed, "prompt")


def _held_out(prompt: str, share: float) -> bool:
    """Returns whether a prompt is a test item, which hangs on its text alone: more rows move none of the others."""
    number = int.from_bytes(hashlib.sha256(f"held out/{prompt}".encode()).digest()[:8], "big")
    return number < share * 2**64


def _prepared(config: JsonlConfig, source: DataSource) -> Dataset:
    from datasets import Dataset

    rows = load_table(source, config.columns())
    where = ", ".join(map(str, source.files())) or f"{source.dataset} ({source.split})"
    prompts, rule = [], config.rule()
    for number, row in enumerate(rows, start=1):
        for column, kind in ((config.prompt, (str, int, float)), (config.answer, (str, int, float, list))):
            if not isinstance(row[column], kind) or row[column] in ("", []):
                raise UsageError(
                    f"row {number} has {row[column]!r:.60} in the column {column}",
                    where=where,
                    hint="every row wants a prompt that is text, and an answer or a list of answers",
                )
        prompts.append(config.rendered(row))
        verdict = rule.judge("", {rule.answer_column: row[config.answer]})
        if verdict.outcome != "ok":
            raise UsageError(
                f"row {number}: {verdict.detail}", where=where, hint="mend the row, or choose another score"
            )
    kept = {name: rows[name][:] for name in config.keep}
    # One type throughout, and text where it can be: domains are put together for mixed training, column by column.
    answers = [list(map(str, a)) if isinstance(a, list) else str(a) for a in rows[config.answer]]
    if any(isinstance(answer, list) for answer in answers):
        answers = [answer if isinstance(answer, list) else [answer] for answer in answers]
    return Dataset.from_dict(kept | {"prompt": prompts, "answer": answers})


def _some(rows: Dataset, config: JsonlConfig, what: str) -> Dataset:
    if len(rows) == 0:
        raise UsageError(
            f"no {what} rows are left",
            where=", ".join(map(str, config.files())) or str(config.dataset),
            hint="give more rows, another test_share, or test_files that are not the training rows",
        )
    return rows
