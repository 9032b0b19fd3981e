"""Worker processes that compute one node after another, so that libraries, data and models are loaded once.

The runner writes one line of JSON with a key to a worker's standard input; the worker answers with lines of JSON (see
`harness.execution.worker`). A worker ends when its input ends, and on Linux also when the runner is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from harness._util.memory import REMEDY
from harness.errors import WorkerLost
from harness.execution.worker import DONE, FAILED, NOTE, PROGRESS, error_of
from harness.plugin.engine_interface import NodeRequest

GRACE_SECONDS = 4.0
"""How long a worker that is stopped may take to clean up before it is killed."""


class Worker:
    """One worker process. devices: the GPUs that it sees. environment: variables beside those of this process."""

    def __init__(
        self, command: Sequence[str], *, number: int, devices: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        self.number = number
        self.devices = devices
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            process_group=0,  # Ctrl-C in the terminal reaches the runner only, which stops its workers in order
        )

    def compute(self, request: NodeRequest) -> None:
        """Returns when the worker has computed the node. Raises its error, or WorkerLost if the worker has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request.started(f"worker {self.number}")
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"key": request.key}) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            message = json.loads(line)
            if message["event"] == PROGRESS:
                request.progress(message["done"], message["total"], message["metrics"])
            elif message["event"] == NOTE:
                request.note(message["text"])
            elif message["event"] == DONE:
                return
            elif message["event"] == FAILED:
                raise error_of(message)
        raise self._lost(request)

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

    def _lost(self, request: NodeRequest) -> WorkerLost:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return WorkerLost("its process was killed, probably out of memory", where=request.label, hint=REMEDY)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return WorkerLost(f"its process {how}", where=request.label, hint="its output is in the run's console.log")
