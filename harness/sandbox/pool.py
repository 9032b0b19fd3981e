"""Several workers, one list of jobs: order kept, a failed worker replaced, nothing waited for longer than its limit."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.sandbox.jobs import Job, Outcome
from harness.sandbox.worker import Worker, WorkerFailedError

MOST_STARTS = 2


@dataclass
class Task:
    """One job on its way: its place in the answer and how often it was given to a worker."""

    index: int
    job: Job
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
            outcomes: list[Outcome | None] = [None] * len(jobs)
            waiting = deque(Task(index, job) for index, job in enumerate(jobs))
            try:
                while waiting or self.busy:
                    self.hand_out(waiting, outcomes)
                    self.collect(waiting, outcomes)
            finally:
                for worker in list(self.busy):  # an interrupt: their answers would be taken for those of the next jobs
                    self.drop(worker)
            return [outcome for outcome in outcomes if outcome is not None]

    def hand_out(self, waiting: deque[Task], outcomes: list[Outcome | None]) -> None:
        """Gives waiting jobs to idle workers, and starts workers while there may be more."""
        while waiting and len(self.busy) < self.workers:
            task = waiting.popleft()
            task.starts += 1
            worker = None
            try:
                worker = self.idle.pop() if self.idle else self.new_worker()
                self.busy[worker] = task
                worker.start(task.job)
            except WorkerFailedError as error:
                if worker is not None:
                    self.drop(worker)
                self.retry(task, str(error), waiting, outcomes)

    def collect(self, waiting: deque[Task], outcomes: list[Outcome | None]) -> None:
        """Waits for the first outcomes, and gives up workers that are past every limit."""
        if not self.busy:
            return
        left = min(worker.deadline for worker in self.busy) - time.monotonic()
        ready = select.select(list(self.busy), [], [], max(left, 0))[0]
        for worker in ready:
            task = self.busy[worker]
            try:
                outcome, spent = worker.finish()
            except WorkerFailedError as error:
                self.drop(worker)
                self.retry(task, str(error), waiting, outcomes)
                continue
            outcomes[task.index] = outcome
            if spent:
                self.drop(worker)
            else:
                del self.busy[worker]
                self.idle.append(worker)
        now = time.monotonic()
        for worker, task in list(self.busy.items()):
            if worker.deadline <= now:
                self.drop(worker)
                outcomes[task.index] = Outcome("sandbox-error", detail="the sandbox does not answer")

    def retry(self, task: Task, reason: str, waiting: deque[Task], outcomes: list[Outcome | None]) -> None:
        """Puts a job back whose worker failed; after `MOST_STARTS` times it is a sandbox error."""
        if task.starts < MOST_STARTS:
            waiting.appendleft(task)
        else:
            outcomes[task.index] = Outcome("sandbox-error", detail=reason)

    def new_worker(self) -> Worker:
        """Returns a started worker with a number of its own."""
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
