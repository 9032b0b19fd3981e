"""Decides whether two texts are the same answer."""

from __future__ import annotations

import re
import string
import unicodedata

from pydantic import Field

from harness import Config


def composed(text: str) -> str:
    """Returns the text in Unicode's form NFC: a letter and its accent become one character if there is one."""
    return unicodedata.normalize("NFC", text)


# Inside a number a sign is no punctuation: 3.5 is not 35, and -5 is not 5. A comma between thousands is.
_OF_A_NUMBER = re.compile(r"(?<=\d)[.,:/'^-](?=\d)|(?<![\w)\]}])-(?=[$€£¥₹]?[.\d])|(?<![\w.])\.(?=\d)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})++(?![\d,])")


class Normalisation(Config):
    """The differences between two texts to ignore. Always ignored: spaces at the ends, and whether a letter and its
    accent are one character or two (Unicode's NFC)."""

    ignore_case: bool = Field(default=False, description="B and b are equal")
    ignore_punctuation: bool = Field(default=False, description="ignore punctuation, except inside a number")
    ignore_space: bool = Field(default=True, description="any whitespace is one space")

    def normalised(self, text: str) -> str:
        """Returns a normal form of `text`, which is equal for equal answers."""
        text = composed(text)
        if self.ignore_case:
            text = composed(text.casefold())
        if self.ignore_punctuation:
            text = _without_punctuation(text)
        return " ".join(text.split()) if self.ignore_space else text.strip()


def _without_punctuation(text: str) -> str:
    text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text.replace("\N{MINUS SIGN}", "-"))
    kept = {found.start() for found in _OF_A_NUMBER.finditer(text)}
    return "".join(character for place, character in enumerate(text) if place in kept or not _is_mark(character))


def _is_mark(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")
