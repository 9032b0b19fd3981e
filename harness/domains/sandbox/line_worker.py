"""Our own code over a model's text, in a process that can be killed: requests in, replies out, each a line of JSON.

A parser or a verifier is trusted, what it is given is not: `9^9^9^9` keeps it inside one call that no signal ends.
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
"""What a worker's module prints, on a line of its own, once its imports are done and requests are read."""
START_SECONDS = 120.0
"""For the worker's imports, which take a second on an idle machine."""


class LineWorker:
    """Runs `module` and asks it one request at a time, from any thread. It starts at first use, and again after it was
    late or died. hint: what to do where it does not start. environment: over this process's own."""

    def __init__(self, module: str, *, hint: str, environment: Mapping[str, str] | None = None) -> None:
        self.module = module
        self._hint = hint
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def ask(self, request: Any, seconds: float | None = None) -> Any:
        """Returns the worker's reply. Raises TimeoutError where it took more than `seconds`, ConnectionError where it
        died, StepFailed where it does not start."""
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
        """Ends the worker; the next request starts another."""
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
