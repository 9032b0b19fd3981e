"""The loop of a worker process, and the messages between it and the engine that started it.

Each message is one line of JSON. To the worker: `{"key": …}`. From it: `{"event": "progress" | "note" | "done" |
"failed", …}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, TextIO

from harness._util.disk_errors import StoreForbidden, StoreFull
from harness.errors import (
    CheckpointError,
    ExitCode,
    HarnessError,
    PluginError,
    StepFailed,
    UsageError,
    WorkerLost,
    internal_error,
)
from harness.plugin.interfaces import Progress

PROGRESS, NOTE, DONE, FAILED = "progress", "note", "done", "failed"
_CLASSES: tuple[type[HarnessError], ...] = (
    StoreFull, StoreForbidden, WorkerLost, StepFailed, PluginError, CheckpointError, UsageError, HarnessError,
)  # fmt: skip
"""The errors that reach the engine as what they are, the most specific first."""
_SECONDS_TO_CLEAN_UP = 4.0


class Sender:
    """Writes messages to the engine. Takes over standard output: what libraries print goes to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)

    def send(self, event: str, **data: Any) -> None:
        """Sends one message."""
        self._out.write(json.dumps({"event": event, **data}) + "\n")

    def progress(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Sends the progress of the current node."""
        self.send(PROGRESS, done=done, total=total, metrics=dict(metrics))

    def note(self, text: str) -> None:
        """Sends a message for the user."""
        self.send(NOTE, text=text)


def serve(execute: Callable[[str, Progress], None], sender: Sender, lines: TextIO, *, debug: bool) -> None:
    """Executes the nodes whose keys come in, until the input ends.

    If it ends while a node is computed, the engine is gone: the process terminates itself. debug: print tracebacks.
    """
    keys = _Keys(lines)
    while (key := keys.next()) is not None:
        try:
            execute(key, sender.progress)
        except Exception as error:
            if debug:
                traceback.print_exception(error)
            keys.busy = False
            sender.send(FAILED, **message_of(error))
        else:
            keys.busy = False
            sender.send(DONE)


def message_of(error: Exception) -> dict[str, str]:
    """Returns an error as the content of a message."""
    if not isinstance(error, HarnessError):
        error = internal_error(error)
    kind = next(kind for kind in _CLASSES if isinstance(error, kind))
    return {"kind": kind.__name__, "message": error.message, "where": error.where, "hint": error.hint}


def error_of(message: Mapping[str, str]) -> HarnessError:
    """Returns the error in a message."""
    kind = next(kind for kind in _CLASSES if kind.__name__ == message["kind"])
    return kind(message["message"], where=message["where"], hint=message["hint"])


class _Keys:
    """The keys that come in. Reads ahead in a thread, which notices the end of the input at once. busy: whether a node
    is computed that the engine waits for."""

    def __init__(self, lines: TextIO) -> None:
        self.busy = False
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def next(self) -> str | None:
        """Waits for the next key and returns it, None at the end of the input."""
        key = self._queue.get()
        self.busy = key is not None
        return key

    def _read(self, lines: TextIO) -> None:
        for line in lines:
            self._queue.put(json.loads(line)["key"])
        self._queue.put(None)
        if self.busy:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(_SECONDS_TO_CLEAN_UP)
            os._exit(ExitCode.STOPPED)
