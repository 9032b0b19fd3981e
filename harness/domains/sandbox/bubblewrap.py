"""The command that starts a zygote in bubblewrap: no network, and only Python's files of the host, read-only."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.domains.sandbox.jobs import Limits
from harness.domains.sandbox.system_calls import filter_program
from harness.domains.sandbox.worker import Worker, WorkerFailedError, interpreter_arguments, python_program

FIRST_USER = 0x70000000  # far from the numbers of users and services
INSIDE = Path("/sandbox")
MODULES = ("frames.py", "job_process.py", "plain_data.py", "zygote.py")
SCRATCH = ("/tmp", "/dev/shm")
LIBRARIES = ("/lib", "/lib32", "/lib64", "/libx32", "/bin")


def file_system(limits: Limits) -> list[str]:
    """Returns the options for a job's file system: the system's libraries, Python, an empty /tmp and /dev/shm."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in LIBRARIES:
        library = Path(name)
        if library.is_symlink():
            options += ["--symlink", str(library.readlink()), name]
        elif library.exists():
            options += ["--ro-bind", name, name]
    options += [*folder(Path("/etc")), *folder(INSIDE)]
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for module in MODULES:
        options += ["--ro-bind", str(Path(__file__).parent / module), str(INSIDE / module)]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for scratch in SCRATCH:
        options += ["--perms", "1777", "--size", str(limits.files << 20), "--tmpfs", scratch]
    options += python_folders()  # last: Python may be installed below /tmp
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
    return options


def folder(path: Path) -> list[str]:
    """Returns the options for a folder that everybody may enter; bubblewrap's own belong to root."""
    return ["--perms", "0755", "--dir", str(path)]


def python_folders() -> list[str]:
    """Returns the options that mount Python's installation, if it is not below /usr."""
    options = []
    for prefix in {Path(name).resolve(): None for name in (sys.base_prefix, sys.base_exec_prefix)}:
        if not prefix.is_relative_to("/usr"):
            for parent in reversed(prefix.parents[:-1]):
                options += folder(parent)
            options += ["--ro-bind", str(prefix), str(prefix)]
    return options


def with_user_of_its_own(program: str, limits: Limits, number: int) -> list[str]:
    """Returns the command for root. Each job switches to a user of its worker, so that its processes can be counted."""
    rights = ["--cap-drop", "ALL"]
    for right in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
        rights += ["--cap-add", right]
    spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    user = FIRST_USER + (os.getpid() << 6) + number % 64
    return command(program, [*spaces, *rights], limits, user)


def with_user_namespace(program: str, limits: Limits, number: int) -> list[str]:
    """Returns the command for other users: the caller's user, renumbered, in a user namespace."""
    spaces = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]
    return command(program, [*spaces, "--cap-drop", "ALL"], limits, None)


def command(program: str, separation: list[str], limits: Limits, user: int | None) -> list[str]:
    """Returns the whole command line."""
    return [
        *(program, *separation, *file_system(limits), "--new-session", "--as-pid-1", "--", str(python_program())),
        *interpreter_arguments(INSIDE, limits, contained=True, user=user),
    ]


def start_worker(way: Callable[[str, Limits, int], list[str]], program: str, limits: Limits, number: int) -> Worker:
    """Returns a started worker, with the system-call filter if there is one for this machine."""
    name, *options = way(program, limits, number)
    filtering = filter_program()
    if filtering is None:
        return Worker([name, *options], limits)
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(filtering)
        file.seek(0)
        return Worker([name, "--seccomp", str(file.fileno()), *options], limits, passed=(file.fileno(),))


def worker_factory(limits: Limits) -> tuple[Callable[[int], Worker], Worker]:
    """Returns a function that starts the worker with a given number, and the first worker, already started.

    Raises WorkerFailedError with a readable reason if bubblewrap is missing or not permitted.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise WorkerFailedError("bubblewrap (the program bwrap) is not installed")
    ways = [with_user_namespace]
    if os.geteuid() == 0:
        ways.insert(0, with_user_of_its_own)
    reasons = []
    for way in ways:
        start = partial(start_worker, way, program, limits)
        try:
            return start, start(0)
        except WorkerFailedError as error:
            reasons.append(str(error))
    raise WorkerFailedError(f"bubblewrap does not work here: {'; '.join(dict.fromkeys(reasons))}")
