"""Steps in processes of their own, by the command that makes a node anywhere the same files are seen."""

from __future__ import annotations

import subprocess
import sys
from collections import deque

from harness.errors import ExitCode, PluginError, StepFailed, UsageError
from harness.interfaces import Engine, NoConfig, NodeRequest
from harness.interruption import Terminated

LINES_KEPT = 40
ERROR = "error: "


class ChildProcess(Engine):
    """Makes every node in a child; passes on what the child prints, and its error as the child told it."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def execute(self, request: NodeRequest) -> None:
        last: deque[str] = deque(maxlen=LINES_KEPT)
        child = subprocess.Popen(
            list(request.arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                last.append(line.rstrip())
                if not line.startswith(ERROR):
                    sys.stderr.write(line)
            code = child.wait()
        except BaseException:
            child.terminate()  # it ends as this process does: what is half-done removed, the rest resumable
            child.wait()
            raise
        if code != ExitCode.DONE:
            _raise(code, request, list(last))


def _raise(code: int, request: NodeRequest, lines: list[str]) -> None:
    """Raises what the child ended with."""
    if code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code == ExitCode.STOPPED:
        raise Terminated
    begins = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    if not begins:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise StepFailed(
            f"the process of this step {how}",
            where=request.label,
            hint="a process that is killed without a word has often run out of memory",
        )
    told = [line.strip() for line in lines[begins[-1] :]]
    message = told[0].removeprefix(ERROR)
    hint = " ".join(line.removeprefix("→").strip() for line in told[1:])
    kinds: dict[int, type[StepFailed] | type[UsageError] | type[PluginError]] = {
        ExitCode.USAGE: UsageError,
        ExitCode.PLUGIN: PluginError,
    }
    raise kinds.get(code, StepFailed)(message.removeprefix(f"{request.label}: "), where=request.label, hint=hint)
