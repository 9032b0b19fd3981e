"""Runs trusted code on a model's text, in a process that can be killed. Requests and replies are lines of JSON.

A parser or verifier is trusted, but its input is not: `9^9^9^9` keeps it in a call that no signal interrupts.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, cast

from harness.errors import StepFailed

READY = "ready"
"""The line that a worker's module prints when its imports are done and it reads requests."""
START_SECONDS = 120.0
"""The time limit in seconds for the worker's imports, which take about a second on an idle machine."""


class LineWorker:
    """Runs `module` in a process and sends it one request at a time, from any thread.

    The process starts on first use, and again after a time-out or crash. hint: what to do if it does not start.
    environment: variables to add to this process's own.
    """

    def __init__(self, module: str, *, hint: str, environment: Mapping[str, str] | None = None) -> None:
        self.module = module
        self._hint = hint
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def ask(self, request: Any, seconds: float | None = None) -> Any:
        """Returns the worker's reply. Raises TimeoutError after `seconds`, ConnectionError if the process dies, and
        StepFailed if it does not start."""
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
                return json.loads(line)
            self.close()
            if was_late.is_set():
                raise TimeoutError(f"{self.module} took more than {seconds:g} s")
            raise ConnectionError(f"the process of {self.module} died")

    def close(self) -> None:
        """Stops the process; the next request starts a new one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | self._environment,
        )
        late = threading.Timer(START_SECONDS, process.kill)
        late.start()
        try:
            said = cast(IO[str], process.stdout).readline()
        finally:
            late.cancel()
        if said.strip() != READY:
            process.kill()
            process.communicate()
            raise StepFailed(f"the process of {self.module} does not start", hint=self._hint)
        self._process = process
        return process
