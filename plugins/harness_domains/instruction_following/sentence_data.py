"""Finds and downloads the nltk data with which two of lm-eval's checkers split text into sentences."""

from __future__ import annotations

import os
from importlib import import_module

from harness import UsageError

NAME = "punkt_tab"
SPLITTING = frozenset({"length_constraints:number_sentences", "change_case:capital_word_frequency"})
"""The constraints that need these data."""

MISSING = f"nltk's data {NAME} are not on this machine"
HINT = f"with the network: `harness prefetch PROTOCOL`, or `python -m nltk.downloader {NAME}`"


def has_sentence_data() -> bool:
    """Returns whether nltk finds the data. The environment variable NLTK_DATA adds folders to search."""
    try:
        import_module("nltk").data.find(f"tokenizers/{NAME}/english/")
    except LookupError:
        return False
    return True


def fetch_sentence_data() -> None:
    """Downloads the data if they are missing. Raises UsageError if that fails, or if the run is offline."""
    if has_sentence_data():
        return
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        raise UsageError(f"{MISSING}, and downloads are switched off", hint=HINT)
    nltk, cause = import_module("nltk"), "the download failed"
    try:
        nltk.download(NAME, quiet=True, raise_on_error=True)
    except (OSError, ValueError) as error:
        cause = str(error).strip().splitlines()[0]
    if not has_sentence_data():
        raise UsageError(f"{MISSING}, and cannot be downloaded: {cause}", hint=HINT)
