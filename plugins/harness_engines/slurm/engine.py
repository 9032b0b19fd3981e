"""The engine `slurm`: a job for each step. One thread submits what has become ready and looks at the queue."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import (
    Capacity,
    Demand,
    Engine,
    HarnessError,
    NodeRequest,
    NodeWorker,
    UsageError,
    WorkerLost,
    missing_package,
)
from harness_engines.slurm.cluster import cancel, capacity_of, check_programs, queued
from harness_engines.slurm.config import SlurmConfig
from harness_engines.slurm.job import STARTED, NodeJob

_SECONDS_TO_GATHER = 0.2
"""Steps that become ready within this time are submitted together, as one job array."""
_SECONDS_FOR_FILES = 15.0
"""How long after a job has left the queue its last messages may take to appear, over a network file system."""


@dataclass(kw_only=True, eq=False)
class _Running:
    """A submitted node. read: bytes of its messages so far. gone: when its job was first missing from the queue."""

    request: NodeRequest
    future: Future[None]
    messages: Path
    log: Path
    job: Any = None
    read: int = 0
    told: bool = False
    gone: float | None = field(default=None)


class Slurm(Engine):
    """Computes each node as a job of Slurm. Slurm has the queue: all nodes that are ready are submitted."""

    def __init__(self, config: SlurmConfig) -> None:
        for problem in missing_package("submitit", key="", wanted_by="the engine slurm"):
            raise UsageError(problem.message, hint="pip install 'mdrl-harness[slurm]'")
        self.config = config
        self._capacity = Capacity(place="Slurm", machines=())
        self._changed = threading.Condition()
        self._pending: list[_Running] = []
        self._running: list[_Running] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def slots(self) -> None:
        return None

    def check(self, requests: Sequence[NodeRequest]) -> None:
        if self.config.cluster == "local":
            return
        check_programs()
        self._capacity = capacity_of(self.config.partition)
        self._capacity.check(requests)

    def capacity(self, requests: Sequence[NodeRequest]) -> Capacity | None:
        if self.config.cluster == "local":
            return None
        check_programs()
        return capacity_of(self.config.partition)

    def execute(self, request: NodeRequest) -> None:
        self.submit(request).result()

    def submit(self, request: NodeRequest) -> Future[None]:
        future: Future[None] = Future()
        with self._changed:
            self._pending.append(self._entry(request, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="harness-slurm", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return future

    def close(self, *, stop: bool) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        left = [entry for entry in self._running if entry.job is not None]
        if self.config.cluster == "slurm":
            cancel([entry.job.job_id for entry in left])
        else:
            for entry in left:
                entry.job.cancel(check=False)
        for entry in (*self._running, *self._pending):
            entry.future.set_exception(WorkerLost("the run was stopped", where=entry.request.label))

    def _entry(self, request: NodeRequest, future: Future[None]) -> _Running:
        folder = self._folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{request.kind}-{request.key[:12]}"
        messages = folder / f"{name}.jsonl"
        read = messages.stat().st_size if messages.exists() else 0  # what an earlier run left
        return _Running(
            request=request, future=future, messages=messages.absolute(), log=folder / f"{name}.log", read=read
        )

    def _folder(self, request: NodeRequest) -> Path:
        return (request.run or request.store.parent) / "slurm"

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._closed and not self._pending:
                    self._changed.wait(self.config.poll_seconds if self._running else None)
                if self._pending and not self._closed:
                    self._changed.wait_for(lambda: self._closed, _SECONDS_TO_GATHER)
                if self._closed:
                    return
                pending, self._pending = self._pending, []
                self._running += pending
            self._submit(pending)
            self._look()

    def _submit(self, pending: Sequence[_Running]) -> None:
        alike: dict[tuple[str, Demand], list[_Running]] = {}
        for entry in pending:
            alike.setdefault((entry.request.kind, self._capacity.demand(entry.request)), []).append(entry)
        for (kind, demand), entries in alike.items():
            try:
                jobs = self._submit_together(entries, kind, demand)
            except Exception as error:
                lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
                for entry in entries:
                    fault = UsageError(
                        f"Slurm does not take the job: {lines[-1]}", where=entry.request.label, hint="see `engine`"
                    )
                    self._finish(entry, fault)
                continue
            for entry, job in zip(entries, jobs, strict=True):
                entry.job = job
                entry.log.unlink(missing_ok=True)
                entry.log.symlink_to(Path(job.paths.stderr).name)

    def _submit_together(self, entries: Sequence[_Running], kind: str, demand: Demand) -> list[Any]:
        """Returns the jobs of nodes that ask for the same; more than one are an array."""
        from submitit import LocalExecutor, SlurmExecutor

        config, folder = self.config, self._folder(entries[0].request).absolute()
        calls = []
        for entry in entries:
            request = entry.request
            calls.append(NodeJob(request.worker, request.key, request.label, entry.messages, threads=demand.cpus))
        if config.cluster == "local":
            local = LocalExecutor(folder, max_num_timeout=config.requeues)
            local.update_parameters(
                timeout_min=config.minutes, signal_delay_s=config.warn_seconds, gpus_per_node=demand.gpus
            )
            return [local.submit(call) for call in calls]
        executor = SlurmExecutor(folder, max_num_timeout=config.requeues)
        stated = {
            "partition": config.partition,
            "account": config.account,
            "qos": config.qos,
            "constraint": config.constraint,
            "mem": None if config.memory_gb is None else f"{round(config.memory_gb * 1024)}M",
            "gres": f"{config.gres}:{demand.gpus}" if demand.gpus else None,
            "setup": config.setup or None,
        }
        executor.update_parameters(
            job_name=f"harness-{kind}",
            time=config.minutes,
            nodes=demand.machines,
            ntasks_per_node=1,
            cpus_per_task=demand.cpus,
            signal_delay_s=config.warn_seconds,
            array_parallelism=config.at_once,
            additional_parameters={"requeue": True, **config.options},
            **{name: value for name, value in stated.items() if value is not None},
        )
        if len(calls) == 1:
            return [executor.submit(calls[0])]
        with executor.batch():
            jobs = [executor.submit(call) for call in calls]
        return jobs

    def _look(self) -> None:
        """Passes on new messages, and finishes the nodes whose jobs have ended."""
        submitted = [entry for entry in self._running if entry.job is not None]
        if self.config.cluster == "local":
            alive: set[str] | None = {entry.job.job_id for entry in submitted if not entry.job.done()}
        else:
            alive = queued([entry.job.job_id for entry in submitted])
        for entry in submitted:
            try:
                ended = self._read(entry)
            except HarnessError as error:
                self._finish(entry, error)
                continue
            if ended:
                self._finish(entry, None)
            elif alive is None or entry.job.job_id in alive:
                entry.gone = None
            elif entry.gone is None:
                entry.gone = time.monotonic()
            elif time.monotonic() - entry.gone > _SECONDS_FOR_FILES or self.config.cluster == "local":
                message = f"its job {entry.job.job_id} ended without a result"
                hint = f"its output is in {entry.log}; its machine has to see that folder and the store"
                self._finish(entry, WorkerLost(message, where=entry.request.label, hint=hint))

    def _read(self, entry: _Running) -> bool:
        """Passes on the new messages of a node. Returns whether it is stored; raises its error."""
        if not entry.messages.exists():
            return False
        with entry.messages.open("rb") as file:
            file.seek(entry.read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        entry.read += len(whole)
        for line in whole.splitlines():
            message = json.loads(line)
            if message["event"] != STARTED:
                NodeWorker.deliver(message, entry.request)
            elif not entry.told:
                entry.told = True
                entry.request.started(message["place"])
        return whole.splitlines()[-1:] == [b'{"event": "done"}']

    def _finish(self, entry: _Running, error: HarnessError | None) -> None:
        self._running.remove(entry)
        if error is None:
            entry.future.set_result(None)
        else:
            entry.future.set_exception(error)
