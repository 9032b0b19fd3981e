"""What the task's YAML names: an open-ended task's items, its judge's scores, and its sampling."""

from harness.judge.task import OpenEndedTask as Task
from harness.judge.task import items, judged, score

__all__ = ["Task", "items", "judged", "score"]
