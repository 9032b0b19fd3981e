"""The trusted side of one zygote: starts it, sends it a job, reads the outcome."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from harness.domains.sandbox.frames import read_frame, write_frame
from harness.domains.sandbox.jobs import Job, Limits, Outcome, OutcomeKind
from harness.domains.sandbox.plain_data import decode

SECONDS_TO_START = 20.0
SECONDS_OF_GRACE = 10.0
FAILURES = (OSError, EOFError, ValueError, RecursionError)
REPORT = ("kind", "values", "detail")
KINDS_OF_A_JOB = ("ok", "compile-error", "runtime-error")
"""The kinds that a job's process may report; time-outs and failures of the sandbox are detected elsewhere."""
MOST_DETAIL = 1000


class WorkerFailedError(Exception):
    """A zygote that did not start, or that ended."""


def interpreter_arguments(folder: Path, limits: Limits, *, contained: bool, user: int | None) -> list[str]:
    """Returns the arguments for Python that start the zygote with the modules in `folder`.

    The packages are created by hand, so that `harness` and its dependencies are not imported where candidates run.
    """
    bootstrap = (
        "import sys, types\n"
        f"for name in ('harness', 'harness.domains.sandbox'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        f"    sys.modules[name].__path__ = [{str(folder)!r}]\n"
        "from harness.domains.sandbox.zygote import main\n"
        "main()\n"
    )
    settings = {"limits": limits.model_dump(), "contained": contained, "user": user}
    return ["-S", "-s", "-B", "-P", "-c", bootstrap, json.dumps(settings)]


def python_program() -> Path:
    """Returns the interpreter itself, not a virtual environment's link to it."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def readable(workers: Iterable[Worker], seconds: float) -> list[Worker]:
    """Waits for answers and returns the workers that have one. Works for descriptors of any number, unlike `select`."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker, selectors.EVENT_READ, worker)
        return [key.data for key, _ in selector.select(max(seconds, 0.0))]


class Worker:
    """A running zygote. Raises WorkerFailedError with its error output if it does not start."""

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
                start_new_session=True,  # the harness handles interrupts from the keyboard
            )
            assert self.process.stdin is not None and self.process.stdout is not None
            self.requests, self.answers = self.process.stdin.fileno(), self.process.stdout.fileno()
            if not readable([self], SECONDS_TO_START):
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
        """Sends one job. Raises WorkerFailedError if the zygote has ended."""
        self.deadline = time.monotonic() + self.limits.seconds + SECONDS_OF_GRACE
        self.expected = len(job.expressions)
        try:
            write_frame(self.requests, {"code": job.code, "expressions": list(job.expressions)})
        except OSError as error:
            raise WorkerFailedError(self.message() or "ended") from error

    def finish(self) -> tuple[Outcome, bool]:
        """Returns the outcome, and whether the zygote ends after it. Raises WorkerFailedError if it ended before."""
        try:
            answer = read_frame(self.answers)
        except FAILURES as error:
            raise WorkerFailedError(self.message() or "ended during a job") from error
        return outcome_from(answer, self.expected), bool(answer.get("spent"))

    def message(self) -> str:
        """Returns the last part of the worker's standard error."""
        self.said.seek(0)
        return self.said.read().decode(errors="replace").strip()[-500:]

    def close(self) -> None:
        """Stops the zygote and everything in its sandbox."""
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
    """Returns the outcome in a zygote's answer: a failure that the zygote detected, or the report of the job's process.

    The candidate may have forged the report, so an invalid report counts as a runtime error of the candidate.
    """
    if "report" not in answer:
        return Outcome(answer["kind"], detail=answer["detail"])
    try:
        kind, values, detail = parse_report(answer["report"])
        if kind != "ok":
            return Outcome(kind, detail=detail)
        if len(values) != count:
            raise ValueError(f"{len(values)} values for {count} expressions")
        return Outcome("ok", tuple(decode(value) for value in values))
    except (ValueError, RecursionError) as error:
        return Outcome("runtime-error", detail=printable(f"wrote into the channel of results: {error}"))


def parse_report(text: str) -> tuple[OutcomeKind, list[Any], str]:
    """Returns kind, encoded values and detail of a report. Raises ValueError or RecursionError for a forged one."""
    report = json.loads(text)
    kind, values, detail = (report.get(key) if isinstance(report, dict) else None for key in REPORT)
    if kind not in KINDS_OF_A_JOB or not isinstance(values, list) or not isinstance(detail, str):
        raise ValueError("no report")
    return cast(OutcomeKind, kind), values, printable(detail)


def printable(text: str) -> str:
    """Returns the start of `text` without control characters and surrogates, so that it is safe to print."""
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text[:MOST_DETAIL])
