"""JSON from files that anyone may have written."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Returns the data. Raises ValueError for what is not JSON, and for JSON that is nested too deeply or has a number
    of too many digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
