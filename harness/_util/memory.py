"""The peak memory of this process; detects errors caused by lack of memory, with the hint for the user."""

from __future__ import annotations

import errno
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

OUT_OF_MEMORY = "out of memory"
REMEDY = (
    "free memory, or lower evaluate.batch_size, and num_generations or per_device_train_batch_size of train; the same"
    " command resumes the run"
)
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
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


def reset_peak_memory() -> None:
    """Starts a new measurement of `peak_memory`. Only Linux can; elsewhere the peak is that since the process began."""
    with suppress(OSError):
        _RESET.write_text("5")  # see proc(5): resets the peak resident set size
    if (torch := _torch_with_gpu()) is not None:
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)


def peak_memory() -> dict[str, int]:
    """Returns the largest resident memory of this process since `reset_peak_memory`, in bytes, and the largest memory
    of tensors on its GPUs if it uses any."""
    peak = {"peak_memory_bytes": _peak_resident()}
    if (torch := _torch_with_gpu()) is not None:
        devices = range(torch.cuda.device_count())
        peak["peak_gpu_memory_bytes"] = sum(torch.cuda.max_memory_allocated(device) for device in devices)
    return peak


def _peak_resident() -> int:
    with suppress(OSError, StopIteration):
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _torch_with_gpu() -> Any:
    """Returns torch if this process uses a GPU. Imports nothing."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None
