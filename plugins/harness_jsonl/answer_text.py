"""When two texts are the same answer."""

from __future__ import annotations

import string

from pydantic import Field

from harness import Config


class Normalisation(Config):
    """Which differences between two texts do not count; space at the ends never does."""

    ignore_case: bool = Field(default=False, description="B and b are the same")
    ignore_punctuation: bool = Field(default=False, description="leave out ASCII punctuation")
    ignore_space: bool = Field(default=True, description="any run of space is one space")

    def normalised(self, text: str) -> str:
        """Returns the form of `text` in which the same answers are equal."""
        if self.ignore_case:
            text = text.casefold()
        if self.ignore_punctuation:
            text = text.translate(str.maketrans("", "", string.punctuation))
        return " ".join(text.split()) if self.ignore_space else text.strip()
