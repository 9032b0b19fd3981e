"""Extracts the program from a completion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.domains import answer_after_thinking

CompletionFormat = Literal["block", "plain"]

_FENCE = re.compile(r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(`{3,}|~{3,})(.*)")
"""A line that opens or closes a block: indentation (which may include a list marker), fence, and info string."""
_PYTHON = re.compile(r"[{.]*py(?:thon)?[\d.]*(?![\w+#-])", re.IGNORECASE)


def program_of(completion: str, completion_format: CompletionFormat) -> str | None:
    """Returns the program in a completion, or None if there is none.

    `block`: the last closed block after the thinking that is marked as Python; if none is marked, the last one without
    a language. `plain`: all of the text after the thinking. Runs in time linear in the length of the text.
    """
    answer = answer_after_thinking(completion)
    if answer is None:
        return None
    if completion_format == "plain":
        return answer if answer.strip() else None
    blocks = _closed_blocks(answer)
    marked = [block for block in blocks if _PYTHON.match(block.mark)]
    unmarked = [block for block in blocks if not block.mark]
    program = (marked or unmarked)[-1].text() if marked or unmarked else ""
    return program if program.strip() else None


@dataclass
class _Block:
    """An open or closed block. close: the line where it ends if no unambiguous fence closes it."""

    mark: str
    fence: str
    indentation: int
    lines: list[str]
    in_quotes: str = ""
    close: int | None = None

    def text(self) -> str:
        """Returns the lines without the indentation of the block itself."""
        width = min([self.indentation, *(_indentation(line) for line in self.lines if line.strip())])
        return "".join(line[min(width, _indentation(line)) :] for line in self.lines)

    def add(self, line: str) -> None:
        """Adds a line, and tracks triple quotes: a fence inside them belongs to a docstring."""
        self.lines.append(line)
        for quotes in re.findall(r'"""|\'\'\'', line):
            if self.in_quotes in ("", quotes):
                self.in_quotes = "" if self.in_quotes else quotes


def _closed_blocks(text: str) -> list[_Block]:
    """Returns the closed blocks of `text` in order.

    A fence that is indented more than its block's, or that is inside triple quotes, belongs to the program. If no other
    fence closes the block, the first such fence does. A fence with a language opens a new block, even if the previous
    block was not closed.
    """
    blocks: list[_Block] = []
    block: _Block | None = None
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line.rstrip())
        if fence is None or (fence[2][0] == "`" and "`" in fence[3]):
            if block is not None:
                block.add(line)
            continue
        indentation, mark = len(fence[1]), fence[3].strip()
        closes = block is not None and not mark and fence[2].startswith(block.fence) and not fence[1].strip()
        inner = block is not None and (indentation > block.indentation or bool(block.in_quotes))
        if block is None or (mark and not inner and fence[2][0] == block.fence[0]):
            blocks += _ended(block)
            block = _Block(mark, fence[2], indentation, [])
        elif closes and not inner:
            blocks.append(block)
            block = None
        else:
            if closes and block.close is None:
                block.close = len(block.lines)
            block.add(line)
    return blocks + _ended(block)


def _ended(block: _Block | None) -> list[_Block]:
    """Returns the block up to the first fence that may have closed it; empty if there is none."""
    if block is None or block.close is None:
        return []
    del block.lines[block.close :]
    return [block]


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
