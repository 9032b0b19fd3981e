"""What is known to fail is told before a run's first step, all of it at once: model, data, tasks, rewards, settings."""

from harness.readiness.gathering import gathered_faults
from harness.readiness.start import FaultsBeforeStart, faults_before_start

__all__ = ["FaultsBeforeStart", "faults_before_start", "gathered_faults"]
