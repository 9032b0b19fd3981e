"""Removes the unit of an answer: upright text, or a word, after its value.

An italic letter is a variable: the answer `2 t` is a product, not 2 tonnes.
"""

from __future__ import annotations

import re

_TEXT = r"\\(?:text|mathrm|mbox|textrm|textbf|textit|mathit|mathbf|operatorname|rm)\*?"
_POWER = r"(?:\^\s*+(?:\{\s*+-?\d\s*+\}|-?\d))?+"
_NAME = r"[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+"
_UPRIGHT = re.compile(rf"{_TEXT}\s*+\{{(?P<unit>{_NAME})\}}{_POWER}")
_UPRIGHT_ARGUMENT = rf"\s*+\{{\s*+{_TEXT}\{{({_NAME})\}}{_POWER}\s*+\}}"
_QUOTIENT = re.compile(rf"\\[dt]?frac{_UPRIGHT_ARGUMENT}{_UPRIGHT_ARGUMENT}")
_TEMPERATURE = re.compile(r"\^\s*+(?:\{\s*+\\circ\s*+\}|\\circ)\s*+[CFK]?")
_VALUE = re.compile(
    r"(?:[A-Za-z]\s*+=\s*+)?[-+]?(?:\\\$)?(?:[\d.,/()+*^{}\s-]|\\(?:frac|dfrac|tfrac|sqrt|pi|times|cdot|%)(?![A-Za-z]))*+"
)
_WORDS = re.compile(r"(?:[A-Za-z]++(?:\^\{?[23]\}?)?[ ./-]*+)++")
_SHORT = re.compile(
    r"[mcdk]m|in|deg|ft|yd|mi|[km]?g|lbs?|oz|m[lL]|gal|min|sec|hrs?|ms|[mk]ph|rpm|mol|atm|psi|day|men|ton|cup|egg|way|pts|USD|EUR|GBP"
    r"|[kM]?Hz|k[WJ]"
)
_NO_UNIT = re.compile(
    r"alpha|beta|gamma|delta|epsilon|zeta|theta|iota|kappa|lambda|sigma|omega|infinity|infty|sqrt|frac|cdot|and|or"
    r"|if|for|when|mod|modulo|hundred|dozen|percent|percentage|pct|over|plus|minus|undefined|none|[xyz]"
    r"|squared|cubed|factorial|half|halves|(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|hundredth|thousandth|millionth)s?",
    re.IGNORECASE,
)
"""Words that denote a number, a variable or a relation."""
_ANOTHER = re.compile(r"\b(?:or|if|when|not)\b|(?<=\s)\(?\d")
"""Text that says more than a unit, as in `5 \\text{ hours 30 minutes}`."""


def split_unit(text: str) -> tuple[str, str]:
    """Returns the value of an answer and its unit, as letters only; the unit is empty if there is none.

    An answer that consists of text only, such as `\\text{Monday}`, is a value.
    """
    value, unit = _QUOTIENT.sub(r"\\text{\1/\2}", text).rstrip(), ""
    while tail := _upright_tail(value):
        head = value[: tail.start()].rstrip().removesuffix(r"\cdot").removesuffix(r"\,").rstrip("/*· \\")
        if not head or not _ends_a_value(head):
            break
        value, unit = head, tail["unit"].strip() + unit
    if tail := _tail(_TEMPERATURE, value):
        value = value[: tail.start()].rstrip() or value
    elif not unit:
        value, unit = _split_words(value)
    return value, re.sub(r"[^A-Za-z]", "", unit)


def without_letters(text: str, unit: str) -> str:
    """Returns the text without the given unit in plain letters at its end, as in `5 m` for the unit m."""
    found = re.fullmatch(rf"(.*[\d}})])\s*+{re.escape(unit)}\s*+", text, re.DOTALL) if unit else None
    return found[1] if found else text


def _upright_tail(text: str) -> re.Match[str] | None:
    start = text.rfind("\\")
    found = _UPRIGHT.fullmatch(text, start) if start >= 0 else None
    # A word such as "or" or a letter of a choice joins or names things; it measures none.
    if found is None or _NO_UNIT.fullmatch(found["unit"].strip()) or _ANOTHER.search(found["unit"]):
        return None
    return found


def _tail(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    start = text.rfind("^")
    return pattern.fullmatch(text, start) if start > 0 else None


def _ends_a_value(text: str) -> bool:
    """Returns whether a unit may follow: after a number, bracket or letter, not after an operator or comma."""
    return text[-1] not in "+-*/=<>,;^_&" and not re.search(r"\\(?:times|cdot|pm|le|ge|in|neq?|cup|cap)$", text[-8:])


def _split_words(text: str) -> tuple[str, str]:
    """Returns a number and the words after it, as in `18 dollars`. Without words that name a unit, all is the value."""
    value = _VALUE.match(text)
    assert value is not None  # it matches the empty text
    number, rest = text[: value.end()].rstrip(), text[value.end() :].strip()
    words = re.findall("[A-Za-z]+", rest)
    if not words or not re.search(r"\d", number) or not _WORDS.fullmatch(rest):
        return text, ""
    if not _ends_a_value(number) or any(_NO_UNIT.fullmatch(word) for word in words) or "times" in words[:-1]:
        return text, ""
    named = any(len(word) > 3 or (len(word) > 1 and _SHORT.fullmatch(word)) for word in words)
    return (number, rest) if named else (text, "")
