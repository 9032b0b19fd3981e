"""Parses JSON from untrusted files."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Returns the data. Raises ValueError if the text is not JSON, is nested too deeply or has a number with too many
    digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
