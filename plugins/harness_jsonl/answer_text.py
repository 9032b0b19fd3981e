"""What of a completion is its answer, and when two texts are the same answer."""

from __future__ import annotations

import string

from pydantic import Field

from harness import Config

THINK_START, THINK_END = "<think>", "</think>"


def after_thinking(completion: str) -> str:
    """Returns what follows the last `</think>`, without the space around it; nothing where a thought never ends.

    A template that opens the thought itself leaves `<think>` in the prompt. Cut short there, a thought cannot be told
    from an answer, and is taken for one.
    """
    _, end, after = completion.rpartition(THINK_END)
    if not end and THINK_START in completion:
        return ""
    return (after if end else completion).strip()


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
