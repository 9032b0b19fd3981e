"""Detects the processor that steps run on, a GPU or the CPU; torch is only imported to count GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CPU_TERAFLOPS_PER_CORE = 0.2
"""The peak of which SmolLM2-135M in fp32 reaches a tenth in generation and 0.4 in training, on cores with AVX-512: 150
to 219 and 212 tokens per second on two of them. In bf16 it is 1.6 and 2.8 times as fast."""
GPU_TERAFLOPS = 989.0
"""The bf16 peak of an H100 SXM without sparsity, from NVIDIA's data sheet."""
_GPU_DEVICES = ("nvidia[0-9]*", "kfd", "dxg")


@dataclass(frozen=True, kw_only=True)
class Processor:
    """The processor. cores: usable by this process. memory_bytes: of the machine; None if unknown."""

    kind: Literal["gpu", "cpu"]
    cores: int
    memory_bytes: int | None

    @property
    def teraflops(self) -> float:
        """The peak performance that estimates assume by default."""
        return GPU_TERAFLOPS if self.kind == "gpu" else CPU_TERAFLOPS_PER_CORE * self.cores


def processor_here(devices: Path = Path("/dev")) -> Processor:
    """Returns the processor of this machine. GPUs hidden by CUDA_VISIBLE_DEVICES are ignored."""
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


def visible_gpus() -> tuple[str, ...]:
    """Returns the GPUs that this process sees, named as in CUDA_VISIBLE_DEVICES. Imports torch if there may be one."""
    if processor_here().kind == "cpu":
        return ()
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(visible.split(",")[:count] if visible else map(str, range(count)))
