"""The process of one job: drops rights, sets limits, runs the candidate, evaluates expressions, reports data.

Runs in the sandbox without the rest of the package, so it uses only the standard library.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import resource
import sys
from types import ModuleType
from typing import Any

from harness.domains.sandbox.frames import write_all
from harness.domains.sandbox.plain_data import NotPlainDataError, encode

MOST_DETAIL = 500
OPEN_FILES = 64


def become(user: int) -> None:
    """Switches from root to the user and group `user` permanently, because the process limit does not apply to root."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def set_limits(limits: dict[str, Any], *, count_processes: bool) -> None:
    """Sets the kernel's limits for this process and its children."""
    memory = limits["memory_mebibytes"] << 20
    seconds = math.ceil(limits["seconds"]) + 1
    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits["files"] << 20,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if count_processes:
        bounds[resource.RLIMIT_NPROC] = limits["processes"]
    for name, bound in bounds.items():
        hard = resource.getrlimit(name)[1]
        allowed = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(name, (allowed, allowed))


def describe(error: BaseException) -> str:
    """Returns the type and message of an exception. Its `__str__` may be code of the candidate."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    return text[:MOST_DETAIL]


def outcome_of(code: str, expressions: list[str], room: int) -> dict[str, Any]:
    """Runs `code` as a module, evaluates each expression in it, and returns `{"kind", "values", "detail"}`."""
    try:
        program = compile(code, "<candidate>", "exec")
        questions = [compile(expression.strip(), "<expression>", "eval") for expression in expressions]
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"kind": "compile-error", "values": [], "detail": describe(error)}
    module = ModuleType("candidate")
    sys.modules["candidate"] = module  # dataclasses and typing look up a class's module there
    random.seed(0)
    where = "the code"
    values = []
    try:
        exec(program, module.__dict__)
        for index, question in enumerate(questions):
            where = f"expression {index}"
            values.append(encode(eval(question, module.__dict__), room))
    except NotPlainDataError as error:
        return {"kind": "runtime-error", "values": [], "detail": f"{where}: {error}"}
    except (
        BaseException
    ) as error:  # including SystemExit and KeyboardInterrupt: the candidate must not stop the judging
        return {"kind": "runtime-error", "values": [], "detail": f"{where}: {describe(error)}"}
    return {"kind": "ok", "values": values, "detail": ""}


def report(descriptor: int, token: bytes, outcome: dict[str, Any], most_bytes: int) -> None:
    """Writes the job's token and the outcome to the zygote."""
    payload = json.dumps(outcome).encode("ascii")
    if len(payload) > most_bytes + 2 * MOST_DETAIL:
        detail = f"values of more than {most_bytes} bytes"
        payload = json.dumps({"kind": "runtime-error", "values": [], "detail": detail}).encode("ascii")
    write_all(descriptor, token + len(payload).to_bytes(4, "big") + payload)


def run_job(job: dict[str, Any], limits: dict[str, Any], descriptor: int, token: bytes) -> None:
    """Runs one job and reports its outcome. Does not return in processes that the candidate forked."""
    process = os.getpid()
    outcome = outcome_of(job["code"], job["expressions"], limits["output_bytes"])
    if os.getpid() == process:
        with contextlib.suppress(OSError, ValueError):  # closed by the candidate
            for stream in (sys.__stdout__, sys.__stderr__):
                if stream is not None:
                    stream.flush()  # buffered output counts too
        report(descriptor, token, outcome, limits["output_bytes"])
