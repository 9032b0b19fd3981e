"""Computes the nodes of a plan. Importing this package imports neither plugins nor torch."""

from harness.execution.checkpoints import CheckpointFolders
from harness.execution.computation import Evaluator
from harness.execution.executor import Executor

__all__ = ["CheckpointFolders", "Evaluator", "Executor"]
