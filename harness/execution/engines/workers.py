"""Processes that compute one node after another, so that libraries, data and models are loaded once.

The runner writes one line of JSON with a key to a worker's standard input; the worker answers with lines of JSON (see
`harness.execution.worker`). A worker ends when its input ends, and on Linux also when the runner is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from harness._util.child_process import how_it_ended
from harness.errors import WorkerLost
from harness.execution.launching import MACHINE_VARIABLE
from harness.execution.worker import DONE, FAILED, NOTE, PROGRESS, error_of
from harness.plugin.engine_interface import NodeRequest

GRACE_SECONDS = 4.0
"""How long a worker that is stopped may take to clean up before it is killed."""


class NodeWorker:
    """A process that computes one node after another, for engines.

    command: that of a request, `NodeRequest.worker`. number, devices: for the engine's use; the GPUs that it sees.
    environment: variables beside those of this process. machine: for a node on several machines, the rank of this one
    and the address and a free port of the first. log: the file that its output is appended to, by default that of this
    process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        number: int = 0,
        devices: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        machine: tuple[int, str, int] | None = None,
        log: Path | None = None,
    ) -> None:
        self.number = number
        self.devices = devices
        self._log = log
        place = {} if machine is None else {MACHINE_VARIABLE: " ".join(map(str, machine))}
        with nullcontext() if log is None else log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={**os.environ, **(environment or {}), **place},
                process_group=0,  # Ctrl-C in the terminal reaches the runner only, which stops its workers in order
            )

    def compute(self, request: NodeRequest) -> None:
        """Returns when the worker has computed the node. Raises its error, or WorkerLost if the worker has ended."""
        request.started(f"worker {self.number}")
        for message in self.messages(request.key, request.label):
            self.deliver(message, request)

    def messages(self, key: str, label: str) -> Iterator[Mapping[str, Any]]:
        """Has the worker compute a node, and yields what it reports as JSON data, for `deliver`; the last message has
        the `event` `done` or `failed`. Raises WorkerLost if the worker has ended. label: the node's, for the error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"key": key}) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            message = json.loads(line)
            yield message
            if message["event"] in (DONE, FAILED):
                return
        raise self._lost(label)

    @staticmethod
    def deliver(message: Mapping[str, Any], request: NodeRequest) -> None:
        """Passes a message on to the request's functions. Raises the error of a node that failed."""
        if message["event"] == PROGRESS:
            request.progress(message["done"], message["total"], message["metrics"])
        elif message["event"] == NOTE:
            request.note(message["text"])
        elif message["event"] == FAILED:
            raise error_of(message)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Lets the idle worker end."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def terminate(self) -> None:
        """Asks the worker to stop at once."""
        self._signal(signal.SIGTERM)

    def wait(self, deadline: float) -> None:
        """Waits until the process has ended, and kills it and its children when `deadline` (monotonic) has passed."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _lost(self, label: str) -> WorkerLost:
        how, hint = how_it_ended(self._process.wait(), str(self._log or "the run's console.log"))
        return WorkerLost(f"its process {how}", where=label, hint=hint)
