"""Runs nodes on this machine: in this process, or several at a time in worker processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from pydantic import Field, PositiveInt

from harness.errors import UsageError, WorkerLost
from harness.execution.engines.threads import THREADS, Machine, limited_threads, threads_of
from harness.execution.engines.workers import GRACE_SECONDS, NodeWorker
from harness.plugin.config import Config
from harness.plugin.engine_interface import Engine, NodeRequest


class LocalConfig(Config):
    """How many steps run at a time, and with how many threads. No result depends on `jobs`."""

    jobs: PositiveInt | Literal["auto"] = Field(
        "auto",
        description="steps at a time, each in a worker process; 1: in the process of the command; auto: one per GPU,"
        " on the CPU one per core for a small model",
    )
    threads: PositiveInt | None = Field(
        None,
        description="CPU threads of a step; default: 1 for a small model on the CPU, else its share of the cores",
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
        self._gpus: tuple[str, ...] = ()
        self._free: list[str] = []
        self._changed = threading.Condition()
        self._closed = False

    @property
    def slots(self) -> int:
        return self._jobs

    def check(self, requests: Sequence[NodeRequest]) -> None:
        machine = self._machine or Machine.here()
        self._gpus, self._free = machine.gpus, list(machine.gpus)
        for request in requests:
            self._check_one(request)
        self._jobs = machine.jobs(requests) if self.config.jobs == "auto" else self.config.jobs
        self._threads = threads_of(requests, machine, self.config.threads)

    def _check_one(self, request: NodeRequest) -> None:
        gpus, machines = self._gpus_for(request), request.resources.machines
        if machines > 1:
            raise UsageError(
                f"{request.label} runs on {machines} machines, the engine local has one",
                where="launch",
                hint="use an engine that reaches more machines, such as ray",
            )
        if gpus > len(self._gpus):
            raise UsageError(
                f"a step of kind {request.kind} needs {gpus} GPUs, this machine has {len(self._gpus)}",
                where="resources",
                hint="state fewer GPUs, or use an engine that reaches more machines",
            )

    def _gpus_for(self, request: NodeRequest) -> int:
        """Returns the number of GPUs of a step: what the protocol states, or one per process."""
        stated = request.resources.gpus
        return min(request.resources.processes, len(self._gpus)) if stated is None else stated

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
        worker = self._worker_for(request)
        try:
            worker.compute(request)
        finally:
            with self._changed:
                if worker.alive:
                    self._idle.append(worker)
                else:
                    self._workers.remove(worker)
                self._free = [gpu for gpu in self._gpus if gpu in (*self._free, *worker.devices)]
                self._changed.notify_all()

    def _worker_for(self, request: NodeRequest) -> NodeWorker:
        """Returns a worker with as many GPUs as the node needs, an idle one if there is one. Waits for free GPUs."""
        gpus = self._gpus_for(request)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._free) >= gpus)
            if self._closed:
                raise WorkerLost("the run was stopped", where=request.label)
            fitting = (one for one in self._idle if len(one.devices) == gpus and set(one.devices) <= set(self._free))
            worker = next(fitting, None) or self._start(request, tuple(self._free[:gpus]))
            if worker in self._idle:
                self._idle.remove(worker)
            self._free = [gpu for gpu in self._free if gpu not in worker.devices]
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
