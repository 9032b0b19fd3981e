"""What plugins report, as JSON that any reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Returns `value` as JSON data: numpy's and torch's numbers as Python's, NaN and infinities as null.

    Raises TypeError for what JSON has no form for.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return value.name
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def write_json(path: Path, value: Any) -> None:
    """Writes `value`, made plain, as indented JSON."""
    path.write_text(json.dumps(plain(value), indent=1, allow_nan=False) + "\n", encoding="utf-8")
