"""The processor that steps would run on here: a GPU where there is one, else the CPU. Looks without importing torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CPU_TERAFLOPS_A_CORE = 0.05
"""Ours: half of what eight fp32 lanes with two fused multiply-adds reach at 3 GHz."""
GPU_TERAFLOPS = 989.0
"""An H100 SXM's peak in bf16 without sparsity, by NVIDIA's data sheet."""
_GPU_DEVICES = ("nvidia[0-9]*", "kfd", "dxg")


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What there is. cores: that this process may use. memory_bytes: the machine's, None where it is not known."""

    kind: Literal["gpu", "cpu"]
    cores: int
    memory_bytes: int | None

    @property
    def teraflops(self) -> float:
        """The peak that estimates assume unless told otherwise."""
        return GPU_TERAFLOPS if self.kind == "gpu" else CPU_TERAFLOPS_A_CORE * self.cores


def processor_here(devices: Path = Path("/dev")) -> Processor:
    """Returns this machine's; one whose GPUs are hidden by CUDA_VISIBLE_DEVICES has a CPU only."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    gpu = not hidden and any(any(devices.glob(pattern)) for pattern in _GPU_DEVICES)
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        memory = None
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    return Processor(kind="gpu" if gpu else "cpu", cores=cores, memory_bytes=memory)
