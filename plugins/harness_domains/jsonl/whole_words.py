"""Whether a text stands in another one as whole words and whole numbers.

Where a script separates words by spaces, a match must not be part of a longer word. Chinese, Japanese, Thai, Lao, Khmer
and Burmese do not, and Korean attaches particles to words: beside their letters every place may begin or end a word.
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
"""How the Unicode names of the letters of those scripts begin."""

_JOINTS = ".,'’/:^"
"""Between two digits they make one number, fraction, time or power: 3.5, 1,500, 5/6, 12:30, 2^5."""

_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{FULLWIDTH HYPHEN-MINUS}": "-"})
_CURRENCY = "$€£¥₹"
_FRACTION = re.compile(r"\d+/\d+")


def stands_in(answer: str, text: str) -> bool:
    """Returns whether `answer` stands in `text` as whole words and numbers: 5 is not in 55, 3.5, 1,500 or -5."""
    answer, text = answer.translate(_MINUS), text.translate(_MINUS)
    return any(
        _begins(text, start, answer) and _ends(text, start + len(answer)) for start in _occurrences(answer, text)
    )


def _occurrences(answer: str, text: str) -> Iterator[int]:
    start = text.find(answer)
    while start >= 0:
        yield start
        start = text.find(answer, start + 1)


def _begins(text: str, start: int, answer: str) -> bool:
    """Returns whether no word or number goes on from before `start` into the answer there."""
    if start == 0:
        return True
    before, first = text[start - 1], text[start]
    if _starts_number(answer):
        if first == "-":
            return not _operand(before)  # otherwise a difference, such as 3-5, and no number -5
        if _continues_number(text, start, answer):
            return False
    return not (_in_word(first) and _in_word(before))


def _continues_number(text: str, start: int, answer: str) -> bool:
    """Returns whether the number at `start` is the end of another: of 3.5, of 2 1/2, or of -5 and -$5."""
    before, further = text[start - 1], text[start - 2] if start > 1 else " "
    if before.isdigit():
        return True
    if _FRACTION.fullmatch(answer) and re.search(r"\d $", text[max(0, start - 2) : start]):
        return True
    if text[start].isdigit() and before in _JOINTS and (further.isdigit() or (before == "." and not further.isalpha())):
        return True
    sign = start - (2 if before in _CURRENCY and start > 1 else 1)
    return text[sign] == "-" and not _operand(text[sign - 1] if sign > 0 else " ")


def _operand(character: str) -> bool:
    """Returns whether a minus sign behind this character subtracts."""
    return _in_word(character) or character in ")]}"


def _ends(text: str, end: int) -> bool:
    """Returns whether no word or number that ends before `end` goes on there."""
    if end == len(text):
        return True
    last, after = text[end - 1], text[end]
    if unicodedata.category(after).startswith("M"):
        return False  # an accent of the last letter
    if last.isdigit() and after in _JOINTS and text[end + 1 : end + 2].isdigit():
        return False
    return not (_in_word(last) and _in_word(after))


def _starts_number(answer: str) -> bool:
    return answer.lstrip("-." + _CURRENCY)[:1].isdigit()


@lru_cache(maxsize=10_000)
def _in_word(character: str) -> bool:
    """Returns whether a character belongs to a word that ends where such characters end."""
    if unicodedata.category(character).startswith("M"):
        return True
    return (character.isalnum() or character == "_") and not unicodedata.name(character, "").startswith(_UNSPACED)
