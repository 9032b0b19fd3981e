"""Fills in rubrics, and reads scores from a judge's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.domains.completions import answer_after_thinking

_VALUES = {"0": 0.0, "0.5": 0.5, ".5": 0.5, "1/2": 0.5, "½": 0.5, "1": 1.0}
_MARKS = " \t*_`\"'()[]"
_ANNOUNCED = re.compile(rf"\bscore[{re.escape(_MARKS)}]*[:=](.*)", re.IGNORECASE)
_VALUE = re.compile(r"(1/2|½|\d*\.\d+|\d+)(?![\d/%½]|\.\d)")


def without_thinking(text: str) -> str:
    """Returns the text after the last `</think>`: empty if a `<think>` was never closed, all of it if there is neither
    tag."""
    answer = answer_after_thinking(text) or ""
    return answer if answer == text else answer.lstrip()


def prompt_text(prompt: str | Sequence[Mapping[str, Any]]) -> str:
    """Returns a prompt as one text: the content of a single message, or several messages, each after its role."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return str(prompt[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def fill(rubric: str, **texts: str) -> str:
    """Returns the rubric with each `{name}` replaced by its text. Braces inside the texts are left alone."""
    places = re.compile(rf"\{{({'|'.join(texts)})\}}")
    return places.sub(lambda place: texts[place[1]], rubric)


def check_rubric(rubric: str, *names: str) -> str:
    """Returns the rubric. Raises ValueError if `{name}` is missing for one of the names. For validators of configs."""
    missing = [f"{{{name}}}" for name in names if f"{{{name}}}" not in rubric]
    if missing:
        raise ValueError(f"the rubric has no {' and no '.join(missing)}")
    return rubric


def parse_score(answer: str) -> float | None:
    """Returns 0, 0.5 or 1 from the last `Score:` of a judge's answer, or from an answer that consists of a score only.

    None if there is no score, or if it is another number: a judge that answers 7 has not understood the rubric.
    """
    text = without_thinking(answer).strip()
    announced = _ANNOUNCED.findall(text)
    value = _VALUE.match((announced[-1] if announced else text).strip(_MARKS))
    rest = value.string[value.end() :] if value else ""
    # Words may follow, as in "Score: 1 (very good)". Another number would make it a range, a list or another scale.
    if (
        value is None
        or any(character.isdigit() for character in rest)
        or (rest.strip(_MARKS + ".\n") and not announced)
    ):
        return None
    return _VALUES.get(value[1], _VALUES.get(f"{float(value[1]):g}") if "." in value[1] else None)
