"""Checks whether the base model can read a domain's prompts and has room for the completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.domains.data.messages import is_chat
from harness.domains.data.table import SOURCE_TEXT
from harness.errors import Problem
from harness.execution.readiness.model import BaseModelFacts

SAMPLED = 64
"""The number of prompts to check, evenly spread over the data."""
MOSTLY = 0.5


def spread(rows: Any, count: int = SAMPLED) -> list[dict[str, Any]]:
    """Returns up to `count` rows of a data set, evenly spread over it."""
    step = max(1, len(rows) / count)
    return [dict(rows[int(index * step)]) for index in range(min(count, len(rows)))]


def prompt_faults(
    rows: Sequence[Mapping[str, Any]], model: BaseModelFacts, *, what: str, chat: bool, completion_tokens: int | None
) -> Iterator[Problem]:
    """Yields the problems of a model with the prompts of rows.

    what: the name of the prompts in messages. chat: whether the domain declares that they are chat messages.
    completion_tokens: the number of tokens generated after them.
    """
    prompts = [row["prompt"] for row in rows]
    messages = any(map(is_chat, prompts))
    if messages and not chat:
        yield Problem(
            message=f"{what} are chat messages, and its test items are scored without the chat template",
            hint="set evaluate.chat_template to true; the domain's plugin should set `chat`",
        )
    if not model.takes(prompts):
        yield Problem(
            message=f"{what} are chat messages, and the base model's tokenizer has no chat template",
            hint="use a model with a chat template, or set `format: plain` if the domain supports it",
        )
        return
    ids = model.ids(prompts)
    # An instruction that all prompts share may be unknown, but the model has to read what differs between prompts.
    own = [row.get(SOURCE_TEXT) or row["prompt"] for row in rows]
    unknown = model.unknown_share(model.ids(own))
    if unknown > MOSTLY:
        yield Problem(
            message=f"{unknown:.0%} of the tokens of {what} are unknown to the base model's tokenizer",
            hint=f"use a model that can read them, or other data; one of the prompts is {own[0]!r:.100}",
        )
    shortest = min(map(len, ids))
    if model.longest is not None and completion_tokens is not None and shortest + completion_tokens > model.longest:
        yield Problem(
            message=f"{what} have {shortest} tokens or more, and completions up to {completion_tokens}: more than the"
            f" {model.longest} that the base model takes",
            hint="lower completion_tokens of the domain or max_completion_length of the training",
        )
