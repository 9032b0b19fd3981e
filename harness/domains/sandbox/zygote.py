"""A process that forks once per job: Python starts once, and each job gets a fresh copy of it.

In the contained tier it is process 1 of its own process namespace. Process 1 may signal all others and cannot be killed
from inside, so everything that a job started dies with the job. Uses only the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import site
import sys
import time
from pathlib import Path
from typing import Any

from harness.domains.sandbox.frames import read_frame, write_frame
from harness.domains.sandbox.job_process import MOST_DETAIL, become, run_job, set_limits

PRELOADED = (
    *("bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "heapq"),
    *("itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing"),
)
SCRATCH = (Path("/tmp"), Path("/dev/shm"))
MOST_FILES = 10_000
SECONDS_BETWEEN_LOOKS = 0.1
PR_SET_DUMPABLE = 4
TOKEN_BYTES = 16
FORGED = "wrote into the channel of results"


class Zygote:
    """Runs jobs one by one. contained: whether it is process 1 of a sandbox. user: the user that jobs run as."""

    def __init__(self, limits: dict[str, Any], *, contained: bool, user: int | None) -> None:
        self.limits = limits
        self.contained = contained
        self.user = user
        # Move the pipes away from 0 and 1, so that printing cannot write into them.
        self.requests, self.answers = os.dup(0), os.dup(1)
        self.null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(self.null, standard)
        self.woken, wake = os.pipe()
        for end in (self.woken, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, or the wakeup is not written
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which process 1 of a namespace never gets from inside it
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Answers requests until the other side closes the pipe, or until a job leaves traces for the next one."""
        untouched = traces() if self.contained else None
        filtered = self.contained and is_filtered()
        write_frame(self.answers, {"ready": True})
        while True:
            try:
                job = read_frame(self.requests)
            except EOFError:
                return
            answer = self.run(job)
            answer["spent"] = self.contained and not (filtered and traces() == untouched)
            write_frame(self.answers, answer)
            if answer["spent"]:
                return

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Returns the outcome of one job, after killing everything that it started."""
        token = os.urandom(TOKEN_BYTES)
        result, result_end = os.pipe()
        output, output_end = os.pipe()
        try:
            process = os.fork()
        except OSError as error:
            for end in (result, result_end, output, output_end):
                os.close(end)
            return failure("sandbox-error", f"no process can be started: {error}")
        if process == 0:
            self.become_the_job(job, token, result_end, output_end, (result, output))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(process, process)  # the job does this too, whichever comes first
        for end in (result_end, output_end):
            os.close(end)
        try:
            return self.watch(process, token, result, output)
        finally:
            self.kill_all(process)
            os.close(result)
            os.close(output)

    def become_the_job(
        self, job: dict[str, Any], token: bytes, result: int, output: int, unwanted: tuple[int, ...]
    ) -> None:
        """Runs in the forked process; never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for end in (self.requests, self.answers, self.woken, *unwanted):
                os.close(end)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.setpgid(0, 0)
            if self.user is not None:
                become(self.user)
            set_limits(self.limits, count_processes=self.contained)
            run_job(job, self.limits, result, token)
            status = 0
        finally:
            os._exit(status)

    def watch(self, process: int, token: bytes, result: int, output: int) -> dict[str, Any]:
        """Returns the outcome once the job reports, ends, writes too much or times out."""
        deadline = time.monotonic() + self.limits["seconds"]
        poll = select.poll()
        for end in (result, output, self.woken):
            poll.register(end, select.POLLIN)
        poll.register(self.requests, 0)  # a hang-up only
        reported, printed = b"", 0
        while (left := deadline - time.monotonic()) > 0:
            outcome = None
            for end, event in poll.poll(min(left, SECONDS_BETWEEN_LOOKS) * 1000):
                if end == self.requests and event & (select.POLLHUP | select.POLLERR):
                    self.kill_all(process)
                    os._exit(0)
                if end == output:
                    chunk = os.read(output, 65536)
                    printed += len(chunk)
                    if not chunk:
                        poll.unregister(output)
                if end == result:
                    chunk = os.read(result, 65536)
                    reported += chunk
                    if not chunk:
                        poll.unregister(result)
                    outcome = self.outcome_in(reported, token)
                if end == self.woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.woken, 4096)
            outcome = outcome or self.outcome_of_ended(process, token, result, reported)
            if outcome is not None:
                printed += len(rest_of(output))  # output before the end counts, in whatever order the pipes are read
            outcome = self.excess(printed) or outcome
            if outcome is not None:
                return outcome
        return failure("timeout", f"ran longer than {self.limits['seconds']:g} seconds")

    def excess(self, printed: int) -> dict[str, Any] | None:
        """Returns the outcome of a job that printed too much or created too many files, None for any other."""
        if printed > self.limits["output_bytes"]:
            return failure("runtime-error", f"printed more than {self.limits['output_bytes']} bytes")
        if self.contained and files_made() > MOST_FILES:
            return failure("runtime-error", f"made more than {MOST_FILES:,} files")
        return None

    def outcome_in(self, reported: bytes, token: bytes) -> dict[str, Any] | None:
        """Returns the outcome once a complete report has arrived, None before. The zygote does not parse the report,
        which may be forged; only the trusted side does."""
        start = len(token) + 4
        length = int.from_bytes(reported[len(token) : start], "big")
        forged = reported[: len(token)] != token[: len(reported)]
        if forged or length > self.limits["output_bytes"] + 2 * MOST_DETAIL:
            return failure("runtime-error", FORGED)
        if len(reported) < start or len(reported) < start + length:
            return None
        return {"report": reported[start : start + length].decode("ascii", "replace")}

    def outcome_of_ended(self, process: int, token: bytes, result: int, reported: bytes) -> dict[str, Any] | None:
        """Returns the outcome if the job's process has ended, None if it still runs."""
        try:
            ended, status = os.waitpid(process, os.WNOHANG)
        except ChildProcessError:
            return failure("runtime-error", "ended without a result")
        if not ended:
            return None
        outcome = self.outcome_in(reported + rest_of(result), token)
        if outcome is not None:
            return outcome
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return failure("timeout", "used up its processor time")
        end = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
        return failure("runtime-error", f"ended without a result, with {end}")

    def kill_all(self, process: int) -> None:
        """Kills and reaps all other processes of the sandbox, or without a sandbox the job's session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.contained:
                os.kill(-1, signal.SIGKILL)
            else:
                os.killpg(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, 0)
        with contextlib.suppress(ChildProcessError):
            while self.contained:
                os.waitpid(-1, 0)


def files_made() -> int:
    """Returns the number of files in the scratch folders, including empty ones, which use the kernel's memory."""
    systems = [os.statvfs(folder) for folder in SCRATCH]
    return sum(system.f_files - system.f_ffree for system in systems)


def traces() -> object:
    """Returns everything that a job can leave behind; it is unchanged if the jobs so far left nothing.

    Folders above Python's own are writable if they are in /tmp. Their times are set to 0, because files may have been
    created and removed.
    """
    above = [folder for folder in Path(sys.base_prefix).parents if folder.is_relative_to("/tmp")]
    seen: list[object] = []
    try:
        for folder in (*SCRATCH, *above):
            status = folder.stat()
            seen += [status.st_mode, status.st_gid, os.listxattr(folder), sorted(folder.iterdir())]
            os.utime(folder, (0, 0))
    except OSError as error:  # not readable even for process 1
        seen.append(error)
    return seen


def is_filtered() -> bool:
    """Returns whether a system-call filter is active. Without it, messages and shared memory outlive a job."""
    return "Seccomp:\t2" in Path("/proc/self/status").read_text()


def rest_of(pipe: int) -> bytes:
    """Returns the data in a pipe without waiting for more: at most the pipe's capacity."""
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, 1 << 20)
    except BlockingIOError:
        return b""


def failure(kind: str, detail: str) -> dict[str, Any]:
    """Returns an outcome without values."""
    return {"kind": kind, "values": [], "detail": detail}


def main() -> None:
    """Runs the zygote. `sys.argv[1]` is JSON with `limits`, `contained` and `user`."""
    settings = json.loads(sys.argv[1])
    sys.argv[1:] = []
    if settings["contained"]:
        if os.getpid() != 1:
            raise SystemExit("not process 1: killing all processes would reach outside the sandbox")
        os.umask(0o022)
        with contextlib.suppress(OSError):  # if memory runs out, the kernel kills a job rather than the harness
            Path("/proc/self/oom_score_adj").write_text("1000")
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a job must not read the pipes in /proc/1/fd
    for name in PRELOADED:
        importlib.import_module(name)
    site.setquit()  # defines `exit` and `quit`, which python -S lacks
    zygote = Zygote(settings["limits"], contained=settings["contained"], user=settings["user"])
    gc.freeze()
    zygote.serve()
