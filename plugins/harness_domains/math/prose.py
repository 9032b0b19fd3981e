"""Whether a reference is words and no mathematics: math-verify would read each letter of it as a variable."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{2,}")


def is_prose(text: str) -> bool:
    """Returns whether a text is words and punctuation alone, two words or more that are longer than a letter."""
    return len(_WORD.findall(text)) >= 2 and all(_is_of_words(character) for character in text)


def _is_of_words(character: str) -> bool:
    return character.isalpha() or character.isspace() or character in ".,;:!?'’\"()-"
