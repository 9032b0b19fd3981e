"""Formats questions as prompts, and splits them into training and held-out questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import UsageError
from harness.domains import SOURCE_ROW, SOURCE_TEXT, load_table
from harness_domains.qa.answers import LETTERS, options_of, unjudgeable
from harness_domains.qa.config import QAConfig
from harness_domains.qa.strata import stratified_order

if TYPE_CHECKING:
    from datasets import Dataset

# Short enough that no 13 words of two prompts agree because of them: that many are looked for between training prompts
# and test items.
ASK_LETTER = "Think, then write “Answer: ” and a letter."
ASK_WORDS = "Think, then write “Answer: ” and a few words."


def training_questions(config: QAConfig) -> Dataset:
    """Returns the training rows: `prompt` as text, `options`, `letter`, `stratum`, `source_row` and `source_text`.

    Raises UsageError if the data do not match the config, or if no question is left to train on.
    """
    rows, held_out = _split(config)
    kept = set(range(len(rows))) - set(held_out)
    if not kept:
        raise UsageError(
            "all questions are held out", where=_where(config), hint="lower test_share, or train on another domain"
        )
    order = stratified_order(rows["prompt"][:], rows["stratum"][:], f"training/{config.subset_seed}")
    return rows.select([index for index in order if index in kept][: config.prompts])


def held_out_questions(config: QAConfig) -> Dataset:
    """Returns the held-out questions, with the columns of the training rows.

    Raises UsageError if the data do not match the config.
    """
    rows, held_out = _split(config)
    return rows.select(held_out[: config.test_items])


def prompt_of(question: str, options: list[str], answers: str) -> str:
    """Returns the prompt: the question, the lettered options (unless the answer is in words), and the instruction."""
    if answers == "short":
        return f"Question: {question.strip()}\n\n{ASK_WORDS}"
    listed = "\n".join(f"{letter}. {option.strip()}" for letter, option in zip(LETTERS, options, strict=False))
    return f"Question: {question.strip()}\n\nOptions:\n{listed}\n\n{ASK_LETTER}"


def _split(config: QAConfig) -> tuple[Dataset, list[int]]:
    """Returns the distinct questions, and the indices of the held-out ones: a prefix of their stratified order."""
    rows = _prepared(config)
    order = stratified_order(rows["prompt"][:], rows["stratum"][:], f"held out/{config.subset_seed}")
    return rows, order[: max(1, round(config.test_share * len(order)))]


def _prepared(config: QAConfig) -> Dataset:
    """Returns the distinct questions, including those with an unknown letter.

    Raises UsageError if a row has no valid question, or if no answer can be judged.
    """
    from datasets import Dataset

    questions: dict[str, Mapping[str, Any]] = {}
    for row in load_table(config, config.columns(), text=tuple(config.columns())):
        question = {"options": row[config.options], "letter": row[config.letter]}
        try:
            if not isinstance(row[config.question], str):
                raise ValueError(f"the question is {row[config.question]!r:.60}, not text")
            options = options_of(question)
        except ValueError as error:
            raise UsageError(str(error), where=row[SOURCE_ROW], hint="correct the row, or leave it out") from None
        prompt = prompt_of(row[config.question], list(options), config.answers)
        stratum = " / ".join(str(row[name]) for name in config.strata)
        places = {SOURCE_ROW: row[SOURCE_ROW], SOURCE_TEXT: "\n".join([row[config.question], *options])}
        questions.setdefault(prompt, {"prompt": prompt, **question, "stratum": stratum, **places})
    faults = [unjudgeable(question) for question in questions.values()]
    if all(faults):
        first = next(iter(questions.values()))
        raise UsageError(
            f"no question can be judged: {faults[0]}",
            where=first[SOURCE_ROW],
            hint=f"the column {config.letter} holds the letter of the right option, A for the first",
        )
    return Dataset.from_list(list(questions.values()))


def _where(config: QAConfig) -> str:
    return ", ".join(map(str, config.files())) or f"{config.dataset} ({config.split})"
