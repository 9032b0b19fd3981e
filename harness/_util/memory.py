"""Memory that ran out: how errors show it, and what to do."""

from __future__ import annotations

import errno

OUT_OF_MEMORY = "out of memory"
REMEDY = (
    "end what else uses memory, or lower batch_size of evaluate, and num_generations or per_device_train_batch_size of"
    " train; the same command goes on"
)
_TOLD_BY_LIBRARIES = ("can't allocate memory", "cannot allocate memory", "out of memory", "unable to allocate")


def comes_of_memory(error: BaseException) -> bool:
    """Returns whether `error`, or one that led to it, is that memory ran out. Native libraries say so in their text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno == errno.ENOMEM):
            return True
        if isinstance(seen, RuntimeError) and any(told in str(seen).lower() for told in _TOLD_BY_LIBRARIES):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
