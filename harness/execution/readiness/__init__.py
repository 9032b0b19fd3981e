"""Checks before a run's first step: model, data, tasks, rewards and settings. All faults are reported at once."""

from harness.execution.readiness.gathering import gathered_faults
from harness.execution.readiness.start import FaultsBeforeStart, faults_before_start

__all__ = ["FaultsBeforeStart", "faults_before_start", "gathered_faults"]
