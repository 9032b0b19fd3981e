"""When two texts are the same answer."""

from __future__ import annotations

import string
import unicodedata

from pydantic import Field

from harness import Config


def composed(text: str) -> str:
    """Returns the text in Unicode's form NFC: a letter and its accent are one character wherever there is one."""
    return unicodedata.normalize("NFC", text)


class Normalisation(Config):
    """Which differences between two texts do not count. Never counted: space at the ends, and whether a letter and its
    accent are one character or two (Unicode's NFC)."""

    ignore_case: bool = Field(default=False, description="B and b are the same")
    ignore_punctuation: bool = Field(default=False, description="leave out ASCII punctuation")
    ignore_space: bool = Field(default=True, description="any run of space is one space")

    def normalised(self, text: str) -> str:
        """Returns the form of `text` in which the same answers are equal."""
        text = composed(text)
        if self.ignore_case:
            text = composed(text.casefold())
        if self.ignore_punctuation:
            text = text.translate(str.maketrans("", "", string.punctuation))
        return " ".join(text.split()) if self.ignore_space else text.strip()
