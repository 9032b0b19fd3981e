"""Checks whether lm-eval can run a domain's tasks: that they exist, have items and report the metric."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import Problem
from harness.evaluation.lm_eval import load_tasks
from harness.plugin.interfaces import TaskSet


def task_faults(tasks: TaskSet, seed: int) -> Iterator[Problem]:
    """Yields the problems of the tasks. Raises StepFailed for an unknown task, and the errors of their functions."""
    if not tasks.tasks:
        yield Problem(message="names no task to score it by", hint="tell the plugin's authors")
        return
    loaded = load_tasks(tasks, seed)["tasks"]
    for name, task in loaded.items():
        if len(task.eval_docs) == 0:
            yield Problem(message=f"no test rows are left for the task {name}", hint="give more rows, or other ones")
    for wanted in tasks.tasks:
        task = loaded.get(wanted.task)
        if task is None:  # a group, whose members were looked at
            continue
        metrics = set(task.aggregation())
        filters = {entry["name"] for entry in task.config.filter_list or ()} or {"none"}
        if wanted.metric not in metrics or wanted.filter not in filters:
            yield Problem(
                message=f"the task {wanted.task} gives no metric {wanted.metric},{wanted.filter}",
                hint=f"its metrics are {', '.join(sorted(metrics))}, its filters {', '.join(sorted(filters))}",
            )
