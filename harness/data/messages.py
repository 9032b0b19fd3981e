"""Prompts as chat messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def as_messages(rows: Dataset, system_prompt: str | None) -> Dataset:
    """Returns `rows` with each `prompt`, a text, as a user's message, after the system's if there is one."""
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    messages = [[*system, {"role": "user", "content": text}] for text in rows["prompt"]]
    return rows.remove_columns("prompt").add_column("prompt", messages)
