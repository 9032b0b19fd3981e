"""Sets of real numbers that are written as inequalities: `x > 2` and the interval `(2, \\infty)` are the same set."""

from __future__ import annotations

import re

_BELOW = r"(?:<|\\(?:lt|leq?|leqslant)(?![A-Za-z]))"
_ABOVE = r"(?:>|\\(?:gt|geq?|geqslant)(?![A-Za-z]))"
_UNEQUAL = r"\\neq?(?![A-Za-z])"
_RELATION = re.compile(rf"\s*+({_BELOW}|{_ABOVE}|{_UNEQUAL})\s*+")
_OR = re.compile(r"\\(?:text|mathrm)\{\s*+or\s*+\}|\bor\b|\\(?:lor|vee)(?![A-Za-z])")
_NAME = re.compile("[A-Za-z]")
_INTERVAL = re.compile(r"(?:\\left\s*+)?[(\[].*(?:\\infty|,).*[)\]]", re.DOTALL)


def is_interval(text: str) -> bool:
    """Returns whether a text is written as an interval, or as a union of intervals."""
    return _INTERVAL.fullmatch(text.strip()) is not None


def as_intervals(text: str) -> str | None:
    """Returns inequalities of one variable as a union of intervals, or None for any other text."""
    intervals: list[str] = []
    names = set()
    for claim in _OR.split(text):
        parts = _RELATION.split(claim.strip())
        found = _one_side(parts) if len(parts) == 3 else _two_sides(parts) if len(parts) == 5 else None
        if found is None:
            return None
        names.add(found[0])
        intervals += found[1:]
    return r" \cup ".join(intervals) if len(names) == 1 else None


def _one_side(parts: list[str]) -> list[str] | None:
    left, relation, right = parts
    if _NAME.fullmatch(right) and not _NAME.fullmatch(left):
        flipped = re.match(_BELOW, relation)
        lower = flipped is not None
        name, bound = right, left
    elif _NAME.fullmatch(left):
        lower = re.match(_ABOVE, relation) is not None
        name, bound = left, right
    else:
        return None
    if re.fullmatch(_UNEQUAL, relation):
        return [name, rf"(-\infty, {bound})", rf"({bound}, \infty)"]
    if lower:
        return [name, rf"{_opening(relation)}{bound}, \infty)"]
    return [name, rf"(-\infty, {bound}{_closing(relation)}"]


def _two_sides(parts: list[str]) -> list[str] | None:
    low, first, name, second, high = parts
    if not _NAME.fullmatch(name):
        return None
    if re.match(_ABOVE, first) and re.match(_ABOVE, second):
        low, first, second, high = high, second, first, low
    elif not (re.match(_BELOW, first) and re.match(_BELOW, second)):
        return None
    return [name, f"{_opening(first)}{low}, {high}{_closing(second)}"]


def _closed(relation: str) -> bool:
    return re.match(r"\\[lg]e", relation) is not None


def _opening(relation: str) -> str:
    return "[" if _closed(relation) else "("


def _closing(relation: str) -> str:
    return "]" if _closed(relation) else ")"
