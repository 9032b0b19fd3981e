"""Finds the answer in a text: the last box, or the last list of boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.domains import answer_after_thinking

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*+")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_WORD = r"(?:(?!\\[\])])[^\s$])"
_OPERATOR = r"(?:[-+*/^]|\\(?:times|cdot|div|pm|[dt]?frac|sqrt)(?![A-Za-z]))"
# Without braces: a tuple, a number or a command up to the next space, further if an operator and a number follow; or
# a single letter that ends the formula or the sentence.
_BARE = re.compile(
    r"(?P<token>"
    rf"(?:\([-+\d.\\][^()$\n]{{0,200}}+\)|(?=[-+]?+(?:\.?\d|\\[A-Za-z])|\\[{{]){_WORD}{{1,200}}+)"
    rf"(?: *+{_OPERATOR} *+(?=[\d\\{{.(]){_WORD}{{1,200}}+){{0,20}}+)"
    r"|(?P<letter>[A-Za-z])(?=[.,;:!?]*+(?:\s*+$|\$|\\\)|\\\]))"
)
_EMPTY = re.compile(r"(?:[\s.…]|\\(?:[,;:! ]|(?:[lc]?dots|q?quad)(?![A-Za-z])))*+")
# What may stand between two boxes that are one answer: "\boxed{2}$ and $\boxed{3}", "\boxed{2}, y = \boxed{3}".
_GAP = r"(?:[\s$*~]|\\[,;:! ()\[\]]|\\q?quad(?![A-Za-z]))*+"
_AND = (
    r"(?:(?:and|or)\b|\\(?:text|textrm|mathrm|mbox)\{\s*+,?\s*+(?:and|or)\s*+\}|\\(?:lor|vee|land|wedge)(?![A-Za-z]))"
)
_BETWEEN = re.compile(
    rf"{_GAP}(?:,{_GAP}{_AND}|{_AND}|[,;&]){_GAP}(?:\\?[A-Za-z](?:_?\w|_\{{\w{{1,3}}\}})?\s*+=)?{_GAP}"
)

Box = tuple[int, int, str | None]


def last_boxed(text: str) -> str | None:
    r"""Returns the content of the last `\boxed{...}`, or of `\boxed 7`; None if there is none, or if it is not closed.

    Boxes that are separated only by a comma, "and" or "or" are one answer: their contents are joined by commas. An
    empty box ("as asked, in \boxed{}") is ignored.
    """
    boxes = list(_boxes(text))
    if not boxes:
        return None
    last = boxes[-1]
    if last[2] is None:
        return None
    contents = {last[2]: None}
    for earlier, later in zip(reversed(boxes[:-1]), reversed(boxes), strict=False):
        if earlier[2] is None or not _BETWEEN.fullmatch(text, earlier[1], later[0]):
            break
        contents.setdefault(earlier[2])
    return ", ".join(reversed(contents))


def _boxes(text: str) -> Iterator[Box]:
    """Yields start, end and content of every box that is not empty; the content of a box without an end is None."""
    ends = _closing_braces(text)
    for mark in _BOX.finditer(text):
        if text.startswith("{", mark.end()):
            end = ends.get(mark.end())
            content = None if end is None else text[mark.end() + 1 : end]
            if content is None or not _EMPTY.fullmatch(content):
                yield mark.start(), len(text) if end is None else end + 1, content
        elif bare := _BARE.match(text, mark.end()):
            yield mark.start(), bare.end(), (bare["token"] or bare["letter"]).rstrip(".,;:!?")


def _closing_braces(text: str) -> dict[int, int]:
    """Returns the position of the closing brace for each opening one, in one pass. Escaped braces are ignored."""
    opened: list[int] = []
    closed: dict[int, int] = {}
    for found in _BRACE.finditer(text):
        if found[0] == "{":
            opened.append(found.start())
        elif found[0] == "}" and opened:
            closed[opened.pop()] = found.start()
    return closed


def boxed_answer(completion: str, *, thinks: bool) -> str | None:
    """Returns the content of the last box after the thinking; None without a box, or if the thinking does not end."""
    return last_boxed(answer_after_thinking(completion, thinks=thinks) or "")
