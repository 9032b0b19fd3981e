"""Finds a text in another one as whole words and numbers.

In scripts that separate words by spaces, a match must not be part of a longer word. Chinese, Japanese, Thai, Lao, Khmer
and Burmese do not use spaces, and Korean attaches particles to words: there a word may begin or end anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_UNSPACED = (
    *("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "BOPOMOFO", "YI", "HANGUL", "HALFWIDTH KATAKANA"),
    *("THAI", "LAO", "KHMER", "MYANMAR"),
)
"""The prefixes of the Unicode names of those scripts' letters."""

_GROUP = "\N{WORD JOINER}"
"""Replaces a space inside a number, and is not removed as whitespace."""
_GROUPED = re.compile("(?<=\\d)[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}](?=\\d{3}(?!\\d))")
_SPACED = re.compile(r"\d{1,3}(?: \d{3})+")
_JOINTS = ".,'’/:^" + _GROUP
"""Characters that join two digits into one number, fraction, time or power: 3.5, 1,500, 5/6, 12:30, 2^5."""
_DATE = re.compile(r"(?<![\d-])(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}-\d{1,2}-\d{4})(?![\d-])")
_APOSTROPHES = "'’"
_POSSESSIVE = re.compile(r"[sS](?!\w)")
_ELIDED = re.compile(r"(?<!\w)(?:[cdjlmnst]|qu|un|dell|all|nell|sull|dall)['’]$", re.IGNORECASE)
"""An elided French or Italian word: the next word begins after the apostrophe."""

_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{FULLWIDTH HYPHEN-MINUS}": "-"})
_CURRENCY = "$€£¥₹"
_FRACTION = re.compile(r"\d+/\d+")


def with_groups_joined(text: str) -> str:
    """Returns the text with a mark in place of the non-breaking spaces that separate thousands."""
    return _GROUPED.sub(_GROUP, text)


def stands_in(answer: str, text: str) -> bool:
    """Returns whether `text` contains `answer` as whole words and numbers: 5 is not in 55, 3.5, 1,500 or -5.

    Apply `with_groups_joined` to both first.
    """
    answer, text = answer.translate(_MINUS), text.translate(_MINUS)
    dates = [found.span() for found in _DATE.finditer(text)]
    plain = answer.replace(_GROUP, " ")
    forms = {plain, plain.replace(" ", _GROUP)} if _SPACED.fullmatch(plain) else {answer}
    return any(
        _begins(text, start, form)
        and _ends(text, start + len(form))
        and not any(_within(start, start + len(form), date) for date in dates)
        for form in forms
        for start in _occurrences(form, text)
    )


def _within(start: int, end: int, whole: tuple[int, int]) -> bool:
    """Returns whether a span is a proper part of another one."""
    return whole[0] <= start and end <= whole[1] and (start, end) != whole


def _occurrences(answer: str, text: str) -> Iterator[int]:
    start = text.find(answer)
    while start >= 0:
        yield start
        start = text.find(answer, start + 1)


def _begins(text: str, start: int, answer: str) -> bool:
    """Returns whether no word or number continues from before `start` into the answer."""
    if start == 0:
        return True
    before, first = text[start - 1], text[start]
    if _starts_number(answer):
        if first == "-":
            return not _operand(before)  # otherwise a difference, such as 3-5, and no number -5
        if _continues_number(text, start, answer):
            return False
    if before in _APOSTROPHES and first.isalpha() and start > 1 and text[start - 2].isalpha():
        return _ELIDED.search(text, max(0, start - 6), start) is not None
    return not (_in_word(first) and _in_word(before))


def _continues_number(text: str, start: int, answer: str) -> bool:
    """Returns whether the number at `start` is the end of another number, such as 3.5, 2 1/2, -5 or -$5."""
    before, further = text[start - 1], text[start - 2] if start > 1 else " "
    if before.isdigit():
        return True
    if _FRACTION.fullmatch(answer) and re.search(r"\d $", text[max(0, start - 2) : start]):
        return True
    if text[start] == "." and (before == "." or _in_word(before)):
        return True  # of x.5, or the end of an ellipsis
    joined = further.isdigit() or (before == "." and further != "." and not further.isalpha())
    if text[start].isdigit() and before in _JOINTS and joined:
        return True
    sign = start - (2 if before in _CURRENCY and start > 1 else 1)
    return text[sign] == "-" and not _operand(text[sign - 1] if sign > 0 else " ")


def _operand(character: str) -> bool:
    """Returns whether a minus sign after this character is a subtraction."""
    return _in_word(character) or character in ")]}"


def _ends(text: str, end: int) -> bool:
    """Returns whether no word or number continues at `end`."""
    if end == len(text):
        return True
    last, after = text[end - 1], text[end]
    if unicodedata.category(after).startswith("M"):
        return False  # an accent of the last letter
    if last.isdigit() and after in _JOINTS and text[end + 1 : end + 2].isdigit():
        return False
    if after in _APOSTROPHES and last.isalpha() and text[end + 1 : end + 2].isalpha():
        return _POSSESSIVE.match(text, end + 1) is not None
    return not (_in_word(last) and _in_word(after))


def _starts_number(answer: str) -> bool:
    return answer.lstrip("-." + _CURRENCY)[:1].isdigit()


@lru_cache(maxsize=10_000)
def _in_word(character: str) -> bool:
    """Returns whether a character belongs to words that are separated from others."""
    if unicodedata.category(character).startswith("M"):
        return True
    return (character.isalnum() or character == "_") and not unicodedata.name(character, "").startswith(_UNSPACED)
