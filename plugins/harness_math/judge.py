"""The verifier of reward and tasks alike: it compares the last box with the reference, in a process of its own."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from typing import IO, cast

from harness import RewardResult, StepFailed
from harness_math.answers import boxed_answer

START_SECONDS = 120.0
"""For the worker's imports, which take a second on an idle machine."""


class Judge:
    """Compares answers with references, from any thread. The worker starts at first use, and again after a timeout."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def score(self, completion: str, reference: str, *, thinks: bool = False) -> RewardResult:
        """Returns 1.0 where the last box after the thinking equals the reference, 0.0 where it does not or is missing.

        It is an error where the reference cannot be read, a timeout where comparing takes too long.
        """
        answer = boxed_answer(completion, thinks=thinks)
        return self.compare(reference, answer if answer and answer.strip() else None)

    def compare(self, reference: str, answer: str | None) -> RewardResult:
        """Returns the result of an answer; None is no answer, for which the reference is read all the same."""
        with self._lock:
            reply = self._ask([reference, reference if answer is None else answer])
        if reply is None:
            return RewardResult.timeout(f"comparing {answer!r:.80} took more than {self.timeout_seconds:g} s")
        if reply["verdict"] == "error":
            return RewardResult.error(reply["detail"])
        return RewardResult.ok(float(answer is not None and reply["verdict"] == "right"))

    def close(self) -> None:
        """Ends the worker; the next comparison starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, pair: list[str]) -> dict[str, str] | None:
        """Returns the worker's reply, None where it was late, an error where it died."""
        process = self._process or self._started()
        was_late = threading.Event()

        def give_up() -> None:
            was_late.set()
            process.kill()

        late = threading.Timer(self.timeout_seconds, give_up)
        late.start()
        try:
            cast(IO[str], process.stdin).write(json.dumps(pair) + "\n")
            cast(IO[str], process.stdin).flush()
            line = cast(IO[str], process.stdout).readline()
        except BrokenPipeError:
            line = ""
        finally:
            late.cancel()
        if line:
            reply: dict[str, str] = json.loads(line)
            return reply
        self.close()
        return None if was_late.is_set() else {"verdict": "error", "detail": f"the verifier died on {pair[1]!r:.80}"}

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness_math.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
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
            raise StepFailed(
                "the verifier's process does not start", hint="is math-verify installed beside the harness?"
            )
        self._process = process
        return process
