"""Content keys: a sha256 over canonical JSON, so that the same content has the same name in every process."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Returns JSON with sorted keys and no spaces. Raises ValueError for NaN and infinity, TypeError for no JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_key(**parts: Any) -> str:
    """Returns 64 hex digits that differ wherever any of the parts does, and do not depend on the order of mappings."""
    return hashlib.sha256(canonical_json(parts).encode("ascii")).hexdigest()
