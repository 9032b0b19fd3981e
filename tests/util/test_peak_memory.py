"""The peak memory of a process, and that a new measurement forgets the old peak."""

import sys

import numpy as np
import pytest

from harness._util.memory import peak_memory, reset_peak_memory

BYTES = 64 << 20


def test_the_peak_contains_what_was_freed():
    before = peak_memory()["peak_memory_bytes"]
    reset_peak_memory()
    start = peak_memory()["peak_memory_bytes"]
    held = np.ones(BYTES, np.uint8)
    del held
    assert peak_memory()["peak_memory_bytes"] >= start + BYTES // 2
    # The system counts pages in batches, so that a reading can be a little too low.
    assert 0 < start <= before + BYTES // 8


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak")
def test_a_new_measurement_forgets_the_old_peak():
    held = np.ones(BYTES, np.uint8)
    high = peak_memory()["peak_memory_bytes"]
    del held
    reset_peak_memory()
    assert peak_memory()["peak_memory_bytes"] <= high - BYTES // 2
