"""The near end of the worker: starts it, asks it, and kills it when it is late."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from typing import IO, Any, cast

from harness import StepFailed
from harness_reasoning_gym.catalogue import INSTALL

START_SECONDS = 120.0
"""For the worker's imports, which take a second on an idle machine."""


class WorkerProcess:
    """Asks one worker at a time, from any thread. It starts at first use, and again after it was late or died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def ask(self, request: dict[str, Any], seconds: float | None = None) -> dict[str, Any] | None:
        """Returns the worker's reply, None where it took more than `seconds`; a worker that dies replies an `error`.

        Raises StepFailed where it does not start.
        """
        with self._lock:
            process = self._process or self._started()
            was_late = threading.Event()

            def give_up() -> None:
                was_late.set()
                process.kill()

            late = threading.Timer(seconds, give_up) if seconds is not None else None
            if late is not None:
                late.start()
            try:
                cast(IO[str], process.stdin).write(json.dumps(request) + "\n")
                cast(IO[str], process.stdin).flush()
                line = cast(IO[str], process.stdout).readline()
            except BrokenPipeError:
                line = ""
            finally:
                if late is not None:
                    late.cancel()
            if line.endswith("\n") and not was_late.is_set():
                reply: dict[str, Any] = json.loads(line)
                return reply
            self.close()
            return None if was_late.is_set() else {"error": "the process that was asked died"}

    def close(self) -> None:
        """Ends the worker; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness_reasoning_gym.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            # A set of text has one order for good, and reasoning-gym's matplotlib asks for no display.
            env=os.environ | {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg"},
        )
        late = threading.Timer(START_SECONDS, process.kill)
        late.start()
        try:
            ready = cast(IO[str], process.stdout).readline()
        finally:
            late.cancel()
        if ready.strip() != "ready":
            process.kill()
            process.communicate()
            raise StepFailed("the process that runs reasoning-gym does not start", hint=INSTALL)
        self._process = process
        return process


@lru_cache(maxsize=1)
def shared_worker() -> WorkerProcess:
    """Returns the one worker of this process, which all domains and rewards ask."""
    return WorkerProcess()
