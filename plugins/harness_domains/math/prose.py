"""Recognises references that are prose: math-verify would read each of their letters as a variable."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{2,}")


def is_prose(text: str) -> bool:
    """Returns whether a text consists of words and punctuation, with at least two words longer than a letter."""
    return len(_WORD.findall(text)) >= 2 and all(_is_of_words(character) for character in text)


def _is_of_words(character: str) -> bool:
    return character.isalpha() or character.isspace() or character in ".,;:!?'’\"()-"
