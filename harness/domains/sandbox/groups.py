"""Groups of jobs: they run in order, and the group stops after the first time-out."""

from __future__ import annotations

from collections.abc import Sequence

from harness.domains.sandbox.jobs import Job, Outcome

NOT_RUN = Outcome("timeout", detail="not run, since an earlier test of the same program ran out of time")


def grouped(jobs: Sequence[Job]) -> list[list[int]]:
    """Returns the indices of the jobs of each group, in the order of their first jobs."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for index, job in enumerate(jobs):
        key = (True, index) if job.group is None else (False, job.group)
        groups.setdefault(key, []).append(index)
    return list(groups.values())
