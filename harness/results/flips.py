"""Which test items a checkpoint answers right, and which of them changed from one checkpoint to another."""

from __future__ import annotations

from typing import Literal

RIGHT_FROM = 0.5
"""A sample is right if its score is at least this; at most this, if lower is better. Most scores are 0 or 1."""

Change = Literal["right to wrong", "wrong to right", "still wrong", "still right"]
LOST: Change = "right to wrong"
GAINED: Change = "wrong to right"
STILL_WRONG: Change = "still wrong"
STILL_RIGHT: Change = "still right"
_CHANGES: dict[tuple[bool, bool], Change] = {
    (True, False): LOST,
    (False, True): GAINED,
    (False, False): STILL_WRONG,
    (True, True): STILL_RIGHT,
}


def is_right(score: float | None, *, higher_is_better: bool, right_from: float = RIGHT_FROM) -> bool | None:
    """Returns whether a sample with this score is right, None if it has no score."""
    if score is None:
        return None
    return score >= right_from if higher_is_better else score <= right_from


def change(before: bool | None, now: bool | None) -> Change | None:
    """Returns how an item changed, None if it was not scored twice."""
    return None if before is None or now is None else _CHANGES[before, now]
