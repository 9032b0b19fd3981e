"""Writes plain data as Python source."""

from __future__ import annotations

import math
from typing import Any


def literal(value: Any) -> str:
    """Returns source code that evaluates to `value`, plain data. Unlike `repr`, it supports integers of any length and
    infinite numbers."""
    kind = type(value)
    if kind is int:
        return hex(value)  # Python converts at most 4300 decimal digits
    if kind is float and not math.isfinite(value):
        return f"float('{value}')"
    if kind is complex:
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if kind is dict:
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if kind in (list, tuple, set, frozenset):
        return f"{kind.__name__}([{', '.join(map(literal, value))}])"
    return repr(value)
