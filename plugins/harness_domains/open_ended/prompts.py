"""Reads the prompts of an open-ended domain, splits them into training and held-out ones, and finds references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness import UsageError
from harness.domains import SOURCE_ROW, DataSource, is_a_request, load_table, nested_subset, prompt_text
from harness_domains.open_ended.config import OpenEndedConfig

if TYPE_CHECKING:
    from datasets import Dataset

_PROMPT = "the prompt: text, or a list of messages with role and content"


def training(config: OpenEndedConfig) -> Dataset:
    """Returns the training prompts: `prompt` as text and as `messages`. Raises UsageError if the data are unusable."""
    rows = _shuffled(config)
    last = len(rows) if config.prompts is None else min(len(rows), config.test_items + config.prompts)
    return rows.select(range(config.test_items, last))


def held_out(config: OpenEndedConfig) -> Dataset:
    """Returns the test items: `prompt` as text, no prompt twice, and for pairwise scoring `reference`.

    Raises UsageError if the data are unusable, or if a prompt has no reference.
    """
    rows = _shuffled(config).select(range(config.test_items)).select_columns("prompt")
    if config.scoring == "absolute":
        return rows
    known = _references(config)
    missing = [prompt for prompt in rows["prompt"] if not known.get(prompt, "").strip()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {config.test_items} held-out prompts have no reference, first {missing[0]!r:.80}",
            where=_place(config.reference_sources()[0]),
            hint=f"every held-out prompt needs text in the column {config.reference}, or messages that end with the"
            " assistant's",
        )
    return rows.add_column("reference", [known[prompt] for prompt in rows["prompt"]])


def _shuffled(config: OpenEndedConfig) -> Dataset:
    """Returns the distinct prompts in the order of `subset_seed`: the first `test_items` are held out."""
    from datasets import Dataset

    found: dict[str, list[dict[str, str]]] = {}
    for source in config.sources():
        for messages in _messages(source, config.prompt):
            found.setdefault(prompt_text(messages), messages)
    if len(found) <= config.test_items:
        raise UsageError(
            f"{len(found)} distinct prompts are too few to hold out {config.test_items}",
            where=_place(config),
            hint="give more prompts, or set test_items lower",
        )
    rows = Dataset.from_dict({"prompt": list(found), "messages": list(found.values())})
    return nested_subset(rows, None, config.subset_seed, "prompt")


def _messages(source: DataSource, column: str) -> Iterator[list[dict[str, str]]]:
    table = load_table(source, {column: _PROMPT})
    for place, value in zip(table[SOURCE_ROW], table[column], strict=True):
        messages = [{"role": "user", "content": value}] if isinstance(value, str) else value
        if not is_a_request(messages):
            raise UsageError(
                f"the column {column} holds {value!r:.60}",
                where=place,
                hint="every row needs text, or messages with role and content that end with the user's",
            )
        yield [{"role": message["role"], "content": message["content"]} for message in messages]


def _references(config: OpenEndedConfig) -> dict[str, str]:
    """Returns the references by their prompts' text; the first one of a prompt that comes twice."""
    assert config.reference is not None, "the config requires a column for pairwise scoring"
    found: dict[str, str] = {}
    for source in config.reference_sources():
        table = load_table(source, {config.prompt: _PROMPT, config.reference: "what answers are compared with"})
        for prompt, value in zip(table[config.prompt], table[config.reference], strict=True):
            found.setdefault(prompt_text(prompt), _reference_text(value))
    return found


def _reference_text(value: Any) -> str:
    """Returns a text, or the content of the last message if it is the assistant's; empty for anything else."""
    if isinstance(value, list) and value and isinstance(value[-1], dict) and value[-1].get("role") == "assistant":
        value = value[-1].get("content")
    return value if isinstance(value, str) else ""


def _place(source: DataSource) -> str:
    return ", ".join(map(str, source.files())) or f"{source.dataset} ({source.split})"
