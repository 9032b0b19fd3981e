"""The rules that decide whether a completion answers a question: by the option's letter, or in words."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.domains import answer_after_thinking

LETTERS = "ABCDEFGHIJ"

# Possessive where two parts could share what they match: trying all ways to share it takes quadratic time.
_SAID = r"(?i:answer|option|choice)\s*+(?:is|:)[\s:*$({{\[]*+(?:\\(?:boxed|text|mathrm)\{{)*\(?([{0}])(?![\w'])"
_BOXED = r"\\boxed\{{\s*+(?:\\(?:text|mathrm)\{{)?\(?([{0}])(?![\w'])"
_ALONE = r"(?<![\w'\\])([{0}])(?![\w'])(?!\s+[a-z])"
_IN_WORDS = re.compile(r"(?:answer\s*+(?:is|:)|\\boxed\{)[\s:*]*(.+)", re.IGNORECASE)


def chosen_letter(completion: str, options: int) -> str | None:
    """Returns the letter that a completion chooses among the first `options`, or None.

    This is the last letter after "answer is", "answer:" or in `\\boxed{}`; if there is none, the last letter that
    stands alone and is not a word of a sentence.
    """
    text, letters = _answer(completion), LETTERS[:options]
    settled = [*re.finditer(_SAID.format(letters), text), *re.finditer(_BOXED.format(letters), text)]
    found = max(settled or re.finditer(_ALONE.format(letters), text), key=lambda match: match.start(1), default=None)
    return found[1] if found else None


def answer_in_words(completion: str) -> str:
    """Returns the text after the last "answer is" or "answer:" on its line, or the last line if there is none."""
    text = _answer(completion)
    said = _IN_WORDS.findall(text)
    return normalised(said[-1] if said else (text.splitlines() or [""])[-1])


def normalised(text: str) -> str:
    """Returns a text in NFC and lower case, without articles, punctuation at the ends of words, and extra spaces."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    words = (word.strip(string.punctuation) or word for word in text.split())
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def letter_agrees(completion: str, row: Mapping[str, Any]) -> bool:
    """Returns whether a completion chooses the row's `letter`. Raises ValueError for an invalid row."""
    return chosen_letter(completion, len(options_of(row))) == _letter(row)


def words_agree(completion: str, row: Mapping[str, Any]) -> bool:
    """Returns whether a completion gives the row's right option in words. Raises ValueError for an invalid row."""
    return answer_in_words(completion) == normalised(right_option(row))


def right_option(row: Mapping[str, Any]) -> str:
    """Returns the text of the row's right option. Raises ValueError for an invalid row."""
    return options_of(row)[LETTERS.index(_letter(row))]


def unjudgeable(row: Mapping[str, Any]) -> str | None:
    """Returns why no completion can be judged by a row, or None if one can."""
    try:
        _letter(row)
    except ValueError as error:
        return str(error)
    return None


RULES: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = {"letter": letter_agrees, "short": words_agree}


def _answer(completion: str) -> str:
    return (answer_after_thinking(completion) or "").strip()


def options_of(row: Mapping[str, Any]) -> Sequence[str]:
    """Returns the options of a row. Raises ValueError unless they are two to ten texts."""
    options = row.get("options")
    if not isinstance(options, (list, tuple)) or not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"the row's options are {options!r:.60}, not a list of 2 to {len(LETTERS)}")
    if not all(isinstance(option, str) for option in options):
        raise ValueError(f"the row's options are {options!r:.60}, not texts")
    return options


def _letter(row: Mapping[str, Any]) -> str:
    letter, letters = row.get("letter"), LETTERS[: len(options_of(row))]
    if not isinstance(letter, str) or len(letter) != 1 or letter not in letters:
        raise ValueError(f"the row's letter is {letter!r}, not one of {letters}")
    return letter
