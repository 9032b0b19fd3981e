"""Runs a list of jobs on several workers: order kept, a failed worker replaced, no wait longer than its limit."""

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
    """The jobs of one group that are still to run, as indices, and how often the first of them was started."""

    left: deque[int]
    starts: int = 0


class WorkerPool:
    """Runs jobs on up to `workers` zygotes, which `start` makes by number. One call to `run` at a time."""

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
                for worker in list(self.busy):  # an interrupt: their answers would be taken for those of the next jobs
                    self.drop(worker)
            return [outcome for outcome in run.outcomes if outcome is not None]

    def worker(self, *, fresh: bool) -> Worker:
        """Returns an idle worker, or a new one; with `fresh` a new one in place of an idle one."""
        if self.idle:
            worker = self.idle.pop()
            if not fresh:
                return worker
            worker.close()
        self.started += 1
        return self.start_worker(self.started - 1)

    def drop(self, worker: Worker) -> None:
        """Ends a worker."""
        self.busy.pop(worker, None)
        worker.close()

    def close(self) -> None:
        """Ends all workers."""
        with self.lock:
            for worker in [*self.idle, *self.busy]:
                worker.close()
            self.idle.clear()
            self.busy.clear()


class _Run:
    """One call to `WorkerPool.run`: what waits, and what came back."""

    def __init__(self, pool: WorkerPool, jobs: Sequence[Job]) -> None:
        self.pool = pool
        self.jobs = jobs
        self.outcomes: list[Outcome | None] = [None] * len(jobs)
        self.waiting = deque(Task(deque(indices)) for indices in grouped(jobs))

    def hand_out(self) -> None:
        """Gives waiting jobs to idle workers, and starts workers while there may be more."""
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
        """Waits for the first outcomes, and gives up workers that are past every limit."""
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
        """Takes the outcome of a task's first job; the next one of the group is ready to run, unless time ran out."""
        self.outcomes[task.left.popleft()] = outcome
        task.starts = 0
        if outcome.kind == "timeout":
            for index in task.left:
                self.outcomes[index] = NOT_RUN
        elif task.left:
            self.waiting.appendleft(task)

    def retry(self, task: Task, last: Outcome) -> None:
        """Puts a task back whose worker failed; the second failure, on a worker started for it, is its outcome `last`.

        A worker that started and then ended during a job was ended by the job: that is no fault of the sandbox.
        """
        if task.starts < MOST_STARTS:
            self.waiting.appendleft(task)
        else:
            self.finished(task, last)
