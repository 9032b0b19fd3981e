"""The forms in which answers are requested, and their extraction from completions."""

from __future__ import annotations

from typing import Literal

from harness.domains import answer_after_thinking

AnswerForm = Literal["tags", "boxed", "last-line"]

_OPEN, _CLOSE = "<answer>", "</answer>"
_BOX = "\\boxed{"

INSTRUCTIONS: dict[AnswerForm, str] = {
    "tags": "Think first, then put the final answer alone in <answer></answer>, in the form the task asks for.",
    "boxed": "Think first, then put the final answer alone in \\boxed{}, in the form the task asks for.",
    "last-line": "Think first, then write the final answer alone on the last line, in the form the task asks for.",
}
"""The default instruction for each form."""


def answer_in(completion: str, form: AnswerForm, *, thinks: bool = False) -> str | None:
    """Returns the answer after the thinking, stripped; None if there is none in that form."""
    text = answer_after_thinking(completion, thinks=thinks) or ""
    if form == "tags":
        found = _last_tagged(text)
    elif form == "boxed":
        found = _last_boxed(text)
    else:
        found = text.rstrip().rpartition("\n")[2]
    return (found or "").strip() or None


def in_form(answer: str, form: AnswerForm) -> str:
    """Returns a completion that consists of `answer` in the given form."""
    return {"tags": f"<answer>{answer}</answer>", "boxed": f"{_BOX}{answer}}}", "last-line": answer}[form]


def _last_tagged(text: str) -> str | None:
    """Returns the text up to the last closing tag, from the first opening tag after the previous closing tag."""
    for part in reversed(text.split(_CLOSE)[:-1]):
        _, opened, content = part.partition(_OPEN)
        if opened:
            return content
    return None


def _last_boxed(text: str) -> str | None:
    _, box, rest = text.rpartition(_BOX)
    if not box:
        return None
    depth = 1
    for index, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[:index]
    return None
