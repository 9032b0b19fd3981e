"""Which seeds and methods of a protocol a command is about: `--seeds 0,1,2` and `--methods a,b`."""

from __future__ import annotations

from harness.errors import UsageError


def seeds_from(text: str | None) -> tuple[int, ...] | None:
    """Returns the seeds of a list with commas, None for None. Raises UsageError for what is no whole number."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is no seed", where="--seeds", hint="write whole numbers from 0, such as 0,1,2")
    return tuple(int(word) for word in words)


def methods_from(text: str | None) -> tuple[str, ...] | None:
    """Returns the names of a list with commas, in order and each once; None for None."""
    if text is None:
        return None
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
