"""Extracts the part of a completion to check: the text after the thinking."""

from __future__ import annotations

from harness.domains import answer_after_thinking


def checked_text(completion: str, *, thinks: bool = False) -> str:
    """Returns the text after the thinking, without leading space, as with lm-eval's `think_end_token`.

    Without thinking this is the whole completion; if the thinking does not end, it is empty. thinks: see
    `harness.domains.answer_after_thinking`.
    """
    answer = answer_after_thinking(completion, thinks=thinks) or ""
    return answer if answer == completion else answer.lstrip()
