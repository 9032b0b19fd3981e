"""What runs in a job of Slurm: one node, in a process of its own, whose messages go to a file that the runner reads."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import NodeWorker

STARTED = "started"
_GRACE_SECONDS = 30.0
_PORTS = range(20_000, 60_000)


class NodeJob:
    """Computes a node. Before its time is over, Slurm has submitit call `checkpoint`, and the job is queued again.

    command: `harness exec-worker …`. messages: the file for the messages, one line of JSON each. threads: of the node.
    """

    def __init__(self, command: Sequence[str], key: str, label: str, messages: Path, threads: int) -> None:
        self._command = list(command)
        self._key = key
        self._label = label
        self._messages = messages
        self._threads = threads
        self._worker: NodeWorker | None = None

    def __call__(self) -> None:
        from submitit import JobEnvironment

        here = JobEnvironment()
        machine = None
        if here.num_nodes > 1:
            port = _PORTS[int(here.raw_job_id) % len(_PORTS)]
            machine = (here.global_rank, here.hostnames[0], port)
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(self._threads))}
        command = [sys.executable, *self._command[1:]]
        self._worker = NodeWorker(command, environment=environment, machine=machine)
        try:
            self._say({"event": STARTED, "place": f"job {here.job_id} on {socket.gethostname()}"})
            for message in self._worker.messages(self._key, self._label):
                if here.global_rank == 0:
                    self._say(message)
        finally:
            self._stop()

    def checkpoint(self) -> Any:
        """Stops the process, which leaves a state to resume from, and returns the job to queue."""
        from submitit.helpers import DelayedSubmission

        self._stop()
        return DelayedSubmission(NodeJob(self._command, self._key, self._label, self._messages, self._threads))

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait(time.monotonic() + _GRACE_SECONDS)

    def _say(self, message: Any) -> None:
        with self._messages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
