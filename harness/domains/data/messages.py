"""Prompts as chat messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset


def as_messages(rows: Dataset, system_prompt: str | None) -> Dataset:
    """Returns `rows` with each `prompt`, a text, as a user message, after the system message if there is one."""
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    messages = [[*system, {"role": "user", "content": text}] for text in rows["prompt"]]
    return rows.remove_columns("prompt").add_column("prompt", messages)


def is_chat(prompt: object) -> bool:
    """Returns whether a prompt is a list of chat messages rather than text."""
    return isinstance(prompt, list)


def is_a_request(messages: Any) -> bool:
    """Returns whether `messages` is a list of chat messages, with role and content, that ends with a user's text."""
    if not isinstance(messages, list) or not messages:
        return False
    whole = all(
        isinstance(message, dict) and isinstance(message.get("role"), str) and isinstance(message.get("content"), str)
        for message in messages
    )
    return whole and messages[-1]["role"] == "user" and bool(messages[-1]["content"].strip())
