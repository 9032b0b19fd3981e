"""Content keys: the sha256 of canonical JSON, the same in every process."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Returns compact JSON with sorted keys. Raises ValueError for NaN and infinity, TypeError for other types."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_key(**parts: Any) -> str:
    """Returns the sha256 of the parts as 64 hex digits, independent of the order of mappings."""
    return hashlib.sha256(canonical_json(parts).encode("ascii")).hexdigest()
