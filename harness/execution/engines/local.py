"""Runs nodes on this machine: in this process, or several at a time in worker processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from pydantic import Field, PositiveInt

from harness.errors import WorkerLost
from harness.execution.engines.threads import THREADS, Machine, limited_threads
from harness.execution.engines.workers import GRACE_SECONDS, NodeWorker
from harness.plugin.capacity import Capacity
from harness.plugin.config import Config
from harness.plugin.engine_interface import Engine, NodeRequest


class LocalConfig(Config):
    """How many steps run at a time, and with how many threads. No result depends on `jobs`."""

    jobs: PositiveInt | Literal["auto"] = Field(
        "auto",
        description="steps at a time, each in a worker process; 1: in the process of the command; auto: one per GPU,"
        " on the CPU one per core for a model below 20 million parameters, two below 200 million",
    )
    threads: PositiveInt | None = Field(
        None,
        description="CPU threads of a step; default: its share of the cores",
    )


class Local(Engine):
    """Computes nodes in this process if `jobs` is 1, otherwise in worker processes, each with its share of the GPUs."""

    def __init__(self, config: LocalConfig, machine: Machine | None = None) -> None:
        self.config = config
        self._machine = machine
        self._jobs = config.jobs if isinstance(config.jobs, int) else 1
        self._threads = config.threads or 1
        self._pool: ThreadPoolExecutor | None = None
        self._workers: list[NodeWorker] = []
        self._idle: list[NodeWorker] = []
        self._capacity = Capacity(place="this machine", machines=())
        self._gpus: tuple[str, ...] = ()
        self._free: list[str] = []
        self._free_cores = 0
        self._changed = threading.Condition()
        self._closed = False

    @property
    def slots(self) -> int:
        return self._jobs

    def check(self, requests: Sequence[NodeRequest]) -> None:
        machine = self._machine or Machine.here()
        self._capacity = machine.capacity(requests, jobs=self.config.jobs, threads=self.config.threads)
        self._capacity.check(requests)
        self._gpus, self._free, self._free_cores = machine.gpus, list(machine.gpus), machine.cores
        self._jobs, self._threads = self._capacity.slots or 1, self._capacity.cpus_per_process

    def capacity(self, requests: Sequence[NodeRequest]) -> Capacity:
        machine = self._machine or Machine.here()
        return machine.capacity(requests, jobs=self.config.jobs, threads=self.config.threads)

    def execute(self, request: NodeRequest) -> None:
        with limited_threads(self._threads):
            request.execute()

    def submit(self, request: NodeRequest) -> Future[None]:
        if self._jobs == 1:
            return super().submit(request)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._jobs, "harness-worker")
        return self._pool.submit(self._compute, request)

    def close(self, *, stop: bool) -> None:
        with self._changed:
            self._closed = True
            workers = list(self._workers)
            self._changed.notify_all()
        for worker in workers:
            worker.terminate() if stop else worker.end()
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in workers:
            worker.wait(deadline)
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _compute(self, request: NodeRequest) -> None:
        cores = request.resources.cpus or 0  # others share what there is: `jobs` says how many
        worker = self._worker_for(request, cores)
        try:
            worker.compute(request)
        finally:
            with self._changed:
                if worker.alive:
                    self._idle.append(worker)
                else:
                    self._workers.remove(worker)
                self._free = [gpu for gpu in self._gpus if gpu in (*self._free, *worker.devices)]
                self._free_cores += cores
                self._changed.notify_all()

    def _worker_for(self, request: NodeRequest, cores: int) -> NodeWorker:
        """Returns a worker with as many GPUs as the node needs, an idle one if there is one. Waits until so many cores
        and GPUs are free."""
        gpus = self._capacity.demand(request).gpus
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (len(self._free) >= gpus and self._free_cores >= cores))
            if self._closed:
                raise WorkerLost("the run was stopped", where=request.label)
            fitting = (one for one in self._idle if len(one.devices) == gpus and set(one.devices) <= set(self._free))
            worker = next(fitting, None) or self._start(request, tuple(self._free[:gpus]))
            if worker in self._idle:
                self._idle.remove(worker)
            self._free = [gpu for gpu in self._free if gpu not in worker.devices]
            self._free_cores -= cores
            return worker

    def _start(self, request: NodeRequest, devices: tuple[str, ...]) -> NodeWorker:
        """Starts a worker. A process only sees the GPUs that it was started with, so idle ones with others end."""
        while len(self._workers) >= self._jobs and self._idle:
            other = self._idle.pop(0)
            other.end()
            self._workers.remove(other)
        environment = {THREADS: str(self._threads)}
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        number = min(set(range(1, self._jobs + 1)) - {worker.number for worker in self._workers})
        worker = NodeWorker(request.worker, number=number, devices=devices, environment=environment)
        self._workers.append(worker)
        return worker
