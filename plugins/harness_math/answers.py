"""Finds the answer in a text: the last box."""

from __future__ import annotations

import re

from harness.completions import answer_after_thinking

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\S)")


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


def boxed_answer(completion: str, *, thinks: bool) -> str | None:
    """Returns the content of the last box after the thinking; None without one, or where the thinking never ends."""
    return last_boxed(answer_after_thinking(completion, thinks=thinks) or "")
