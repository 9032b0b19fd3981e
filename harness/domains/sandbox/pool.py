"""Runs a list of jobs on several workers: keeps their order, replaces failed workers, and enforces time limits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.domains.sandbox.groups import NOT_RUN, grouped
from harness.domains.sandbox.jobs import Job, Outcome
from harness.domains.sandbox.worker import Worker, WorkerFailedError, readable

MOST_STARTS = 2


@dataclass
class Task:
    """The remaining jobs of one group, as indices. starts: how often the first of them was started."""

    left: deque[int]
    starts: int = 0


class WorkerPool:
    """Runs jobs on up to `workers` zygotes, which `start` creates by number. Calls to `run` are serialized."""

    def __init__(self, start: Callable[[int], Worker], workers: int, first: Worker | None = None) -> None:
        self.start_worker = start
        self.workers = workers
        self.idle = [first] if first is not None else []
        self.busy: dict[Worker, Task] = {}
        self.started = len(self.idle)
        self.lock = threading.Lock()

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns the outcomes in the order of `jobs`."""
        with self.lock:
            run = _Run(self, jobs)
            try:
                while run.waiting or self.busy:
                    run.hand_out()
                    run.collect()
            finally:
                for worker in list(
                    self.busy
                ):  # after an interrupt, their answers would be read as those of the next jobs
                    self.drop(worker)
            return [outcome for outcome in run.outcomes if outcome is not None]

    def worker(self, *, fresh: bool) -> Worker:
        """Returns an idle worker, or a new one. fresh: replace an idle worker by a new one."""
        if self.idle:
            worker = self.idle.pop()
            if not fresh:
                return worker
            worker.close()
        self.started += 1
        return self.start_worker(self.started - 1)

    def drop(self, worker: Worker) -> None:
        """Stops a worker."""
        self.busy.pop(worker, None)
        worker.close()

    def close(self) -> None:
        """Stops all workers."""
        with self.lock:
            for worker in [*self.idle, *self.busy]:
                worker.close()
            self.idle.clear()
            self.busy.clear()


class _Run:
    """One call to `WorkerPool.run`: its waiting jobs and its outcomes."""

    def __init__(self, pool: WorkerPool, jobs: Sequence[Job]) -> None:
        self.pool = pool
        self.jobs = jobs
        self.outcomes: list[Outcome | None] = [None] * len(jobs)
        self.waiting = deque(Task(deque(indices)) for indices in grouped(jobs))

    def hand_out(self) -> None:
        """Assigns waiting jobs to idle workers, and starts workers up to the maximum."""
        while self.waiting and len(self.pool.busy) < self.pool.workers:
            task = self.waiting.popleft()
            task.starts += 1
            worker = None
            try:
                worker = self.pool.worker(fresh=task.starts > 1)
                self.pool.busy[worker] = task
                worker.start(self.jobs[task.left[0]])
            except WorkerFailedError as error:
                if worker is not None:
                    self.pool.drop(worker)
                self.retry(task, Outcome("sandbox-error", detail=str(error)))

    def collect(self) -> None:
        """Waits for the first outcomes, and stops workers that exceed all limits."""
        busy = self.pool.busy
        if not busy:
            return
        left = min(worker.deadline for worker in busy) - time.monotonic()
        for worker in readable(busy, left):
            task = busy[worker]
            try:
                outcome, spent = worker.finish()
            except WorkerFailedError as error:
                self.pool.drop(worker)
                self.retry(task, Outcome("runtime-error", detail=f"ended its sandbox: {error}"))
                continue
            self.finished(task, outcome)
            if spent:
                self.pool.drop(worker)
            else:
                del busy[worker]
                self.pool.idle.append(worker)
        now = time.monotonic()
        for worker, task in list(busy.items()):
            if worker.deadline <= now:
                self.pool.drop(worker)
                self.retry(task, Outcome("timeout", detail="its sandbox stopped answering"))

    def finished(self, task: Task, outcome: Outcome) -> None:
        """Records the outcome of a task's first job. The next job of the group is queued, unless this one timed out."""
        self.outcomes[task.left.popleft()] = outcome
        task.starts = 0
        if outcome.kind == "timeout":
            for index in task.left:
                self.outcomes[index] = NOT_RUN
        elif task.left:
            self.waiting.appendleft(task)

    def retry(self, task: Task, last: Outcome) -> None:
        """Queues a task again after its worker failed. If a fresh worker fails too, `last` is the outcome.

        If a worker started and then ended during a job, the job ended it; the sandbox is not at fault.
        """
        if task.starts < MOST_STARTS:
            self.waiting.appendleft(task)
        else:
            self.finished(task, last)
