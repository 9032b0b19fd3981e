"""The trusted end of one zygote: start it, hand it a job, read what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from harness.sandbox.frames import read_frame, write_frame
from harness.sandbox.jobs import Job, Limits, Outcome, OutcomeKind
from harness.sandbox.plain_data import decode

SECONDS_TO_START = 20.0
SECONDS_OF_GRACE = 10.0
FAILURES = (OSError, EOFError, ValueError)


class WorkerFailedError(Exception):
    """A zygote that did not start, or that ended."""


def interpreter_arguments(folder: Path, limits: Limits, *, contained: bool, user: int | None) -> list[str]:
    """Returns the arguments for Python that start the zygote whose modules lie in `folder`.

    The package is made by hand, so that neither `harness` nor anything it needs is imported where candidates run.
    """
    bootstrap = (
        "import sys, types\n"
        f"for name in ('harness', 'harness.sandbox'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        f"    sys.modules[name].__path__ = [{str(folder)!r}]\n"
        "from harness.sandbox.zygote import main\n"
        "main()\n"
    )
    settings = {"limits": limits.model_dump(), "contained": contained, "user": user}
    return ["-S", "-s", "-B", "-P", "-c", bootstrap, json.dumps(settings)]


def python_program() -> Path:
    """Returns the interpreter itself, not the link to it in a virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


class Worker:
    """A running zygote. Raises WorkerFailedError where it does not start, with what it said."""

    def __init__(self, command: Sequence[str], limits: Limits, passed: Sequence[int] = ()) -> None:
        self.limits = limits
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self.deadline = 0.0
        self.expected = 0
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                bufsize=0,
                cwd=self.folder.name,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
                pass_fds=passed,
                start_new_session=True,  # an interrupt from the keyboard is for us to act on
            )
            assert self.process.stdin is not None and self.process.stdout is not None
            self.requests, self.answers = self.process.stdin.fileno(), self.process.stdout.fileno()
            if not select.select([self.answers], [], [], SECONDS_TO_START)[0]:
                raise WorkerFailedError(f"did not start within {SECONDS_TO_START:g} seconds")
            read_frame(self.answers)
        except FAILURES as error:
            message = self.message() or str(error) or "ended at once"
            self.close()
            raise WorkerFailedError(message) from error
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Returns the descriptor that becomes readable with the outcome."""
        return self.answers

    def start(self, job: Job) -> None:
        """Hands over one job. Raises WorkerFailedError where nobody takes it."""
        self.deadline = time.monotonic() + self.limits.seconds + SECONDS_OF_GRACE
        self.expected = len(job.expressions)
        try:
            write_frame(self.requests, {"code": job.code, "expressions": list(job.expressions)})
        except OSError as error:
            raise WorkerFailedError(self.message() or "ended") from error

    def finish(self) -> tuple[Outcome, bool]:
        """Returns the outcome, and whether the zygote ended with it. Raises WorkerFailedError where it ended before."""
        try:
            answer = read_frame(self.answers)
        except FAILURES as error:
            raise WorkerFailedError(self.message() or "ended during a job") from error
        return outcome_from(answer, self.expected), bool(answer.get("spent"))

    def message(self) -> str:
        """Returns the end of what the worker wrote to its standard error."""
        self.said.seek(0)
        return self.said.read().decode(errors="replace").strip()[-500:]

    def close(self) -> None:
        """Ends the zygote and with it all that runs in its sandbox."""
        if self.process is not None:
            for end in (self.process.stdin, self.process.stdout):
                if end is not None:
                    end.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
        self.said.close()
        self.folder.cleanup()


def outcome_from(answer: dict[str, Any], count: int) -> Outcome:
    """Returns the outcome that a zygote answered; what came from the candidate's process is checked, not believed."""
    kind, values, detail = answer.get("kind"), answer.get("values"), answer.get("detail")
    if kind not in get_args(OutcomeKind) or not isinstance(values, list) or not isinstance(detail, str):
        return Outcome("runtime-error", detail="wrote into the channel of results")
    if kind != "ok":
        return Outcome(cast(OutcomeKind, kind), detail=detail)
    try:
        if len(values) != count:
            raise ValueError(f"{len(values)} values for {count} expressions")
        return Outcome("ok", tuple(decode(value) for value in values))
    except (ValueError, RecursionError) as error:
        return Outcome("runtime-error", detail=f"wrote into the channel of results: {error}")
