"""Detects errors caused by lack of memory; the hint for the user."""

from __future__ import annotations

import errno

OUT_OF_MEMORY = "out of memory"
REMEDY = (
    "free memory, or lower evaluate.batch_size, and num_generations or per_device_train_batch_size of train; the same"
    " command resumes the run"
)
_LIBRARY_MESSAGES = ("can't allocate memory", "cannot allocate memory", "out of memory", "unable to allocate")


def comes_of_memory(error: BaseException) -> bool:
    """Returns whether `error` or one of its causes is due to lack of memory. Errors of native libraries are recognized
    by their text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno == errno.ENOMEM):
            return True
        if isinstance(seen, RuntimeError) and any(text in str(seen).lower() for text in _LIBRARY_MESSAGES):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
