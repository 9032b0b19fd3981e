"""Makes the nodes of a plan. Importing this imports no plugin and no torch."""

from harness.execution.checkpoints import CheckpointFolders
from harness.execution.computation import Evaluator
from harness.execution.executor import Executor

__all__ = ["CheckpointFolders", "Evaluator", "Executor"]
