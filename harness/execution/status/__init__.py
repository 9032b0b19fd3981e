"""The status of a run, read from its folder and its store by any process, also while the run is going on."""

from harness.execution.status.reading import run_status
from harness.execution.status.run_status import NodeState, NodeStatus, RunState, RunStatus, TimeLeft

__all__ = ["NodeState", "NodeStatus", "RunState", "RunStatus", "TimeLeft", "run_status"]
