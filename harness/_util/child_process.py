"""Runs a `harness` command as a child process, passes on its output and raises its error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence

from harness._util.memory import REMEDY
from harness._util.signals import Terminated
from harness.errors import ExitCode, PluginError, StepFailed, UsageError

MAX_LINES = 400
ERROR = "error: "


def run_child(arguments: Sequence[str], *, label: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs the child until it succeeds. label: the step's label, for errors. environment: additional variables.

    Raises the error of the child: KeyboardInterrupt, Terminated, UsageError, PluginError or StepFailed.
    """
    last: deque[str] = deque(maxlen=MAX_LINES)
    child = subprocess.Popen(
        list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            last.append(line.rstrip())
            if not line.startswith(ERROR):
                sys.stderr.write(line)
        code = child.wait()
    except BaseException:
        child.terminate()  # it cleans up like this process and can be resumed
        child.wait()
        raise
    if code != ExitCode.DONE:
        _raise(code, label, list(last))


def how_it_ended(code: int, log: str) -> tuple[str, str]:
    """Returns how a process with this exit code ended, and a hint. log: where its output is."""
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):  # as by the kernel's OOM killer
        return "was killed, probably out of memory", REMEDY
    how = f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return how, f"its output is in {log}"


def _raise(code: int, label: str, lines: list[str]) -> None:
    if code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code == ExitCode.STOPPED:
        raise Terminated
    begins = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    if not begins:
        how, hint = how_it_ended(code, "the run's console.log")
        last = "" if hint == REMEDY else next((line for line in reversed(lines) if line.strip()), "")
        raise StepFailed(f"the process of this step {how}{f': {last}' if last else ''}", where=label, hint=hint)
    message = lines[begins[-1]].strip().removeprefix(ERROR).removeprefix(f"{label}: ")
    hints: list[str] = []
    for line in lines[begins[-1] + 1 :]:
        if not line.startswith(" "):
            break
        hints.append(line.strip().removeprefix("→").strip())
    kinds: dict[int, type[StepFailed] | type[UsageError] | type[PluginError]] = {
        ExitCode.USAGE: UsageError,
        ExitCode.PLUGIN: PluginError,
    }
    raise kinds.get(code, StepFailed)(message, where=label, hint=" ".join(hints))
