"""From a completion to the program in it."""

from __future__ import annotations

import re
from typing import Literal

from harness.completions import answer_after_thinking

CompletionFormat = Literal["block", "plain"]

_FENCE = re.compile(r"[ \t]*```[ \t]*([^`\s]*)[^`\n]*")
_PYTHON = frozenset({"", "py", "python", "python3"})


def program_of(completion: str, completion_format: CompletionFormat) -> str | None:
    """Returns the program of a completion, or None where it has none.

    `block`: the last fenced block that is marked as Python, or not marked, after the thinking. `plain`: all of the text
    after the thinking.
    """
    answer = answer_after_thinking(completion)
    if answer is None:
        return None
    if completion_format == "plain":
        return answer if answer.strip() else None
    blocks = _python_blocks(answer)
    return blocks[-1] if blocks and blocks[-1].strip() else None


def _python_blocks(text: str) -> list[str]:
    """Returns what is in the closed fences of `text` whose mark says Python or nothing."""
    blocks: list[str] = []
    language: str | None = None
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        fence = _FENCE.fullmatch(line.rstrip())
        if fence is None:
            lines.append(line)
        elif language is None or fence[1]:  # a marked fence begins a block, where one was never closed too
            language, lines = fence[1].lower(), []
        else:
            blocks += ["".join(lines)] if language in _PYTHON else []
            language = None
    return blocks
