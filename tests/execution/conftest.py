"""What holds for all tests of execution."""

import pytest


@pytest.fixture(autouse=True)
def no_memory_in_reports(monkeypatch):
    """The memory that a step took differs between runs; without it, equal runs leave equal bytes."""
    monkeypatch.setattr("harness.execution.computation.peak_memory", dict)
