"""What the task's YAML names: an open-ended task's items, its judge's scores or comparisons, and its sampling."""

from harness.domains.judge.task import OpenEndedTask as Task
from harness.domains.judge.task import compared, items, judged, score, win_rate

__all__ = ["Task", "compared", "items", "judged", "score", "win_rate"]
