"""Makes the nodes of a plan. Importing this imports no plugin and no torch."""

from harness.execution.executor import Evaluator, Executor
from harness.execution.parts import checkpoint_folder

__all__ = ["Evaluator", "Executor", "checkpoint_folder"]
