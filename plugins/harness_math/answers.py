"""Finds the answer in a text: what follows the thinking, and there the last box."""

from __future__ import annotations

import re

THINK_START, THINK_END = "<think>", "</think>"
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\S)")


def after_thinking(completion: str, *, thinks: bool = False) -> str:
    """Returns what comes after the last `</think>`.

    Without that mark it is the whole text, or nothing where the thinking was begun and not ended, or where the model
    `thinks`: chat templates may open the thinking in the prompt, so that a truncated completion has neither mark.
    """
    _thinking, mark, answer = completion.rpartition(THINK_END)
    if mark:
        return answer
    return "" if thinks or THINK_START in completion else completion


def last_boxed(text: str) -> str | None:
    r"""Returns the content of the last `\boxed{...}`, or of `\boxed 7`; None without one or where it is not closed."""
    starts = [match.end() for match in _BOX.finditer(text)]
    if not starts:
        return None
    rest = text[starts[-1] :]
    if not rest.startswith("{"):
        return re.split(r"[\s$.,]", rest, maxsplit=1)[0]
    depth, escaped = 0, False
    for index, character in enumerate(rest):
        if escaped or character == "\\":
            escaped = not escaped
            continue
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[1:index]
    return None
