"""Makes the nodes of a plan. Importing this imports no plugin and no torch."""

from harness.execution.checkpoints import CheckpointFolders
from harness.execution.executor import Evaluator, Executor

__all__ = ["CheckpointFolders", "Evaluator", "Executor"]
