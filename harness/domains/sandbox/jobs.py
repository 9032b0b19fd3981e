"""The jobs and outcomes of a sandbox, and its config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.plugin.config import Config, Unkeyed

OutcomeKind = Literal["ok", "sandbox-error", "unsupported", "timeout", "compile-error", "runtime-error"]
Tier = Literal["auto", "bubblewrap", "monty", "subprocess"]


@dataclass(frozen=True)
class Job:
    """Code to run as a module, and expressions to evaluate in its namespace, in order.

    group: jobs of one group run in order, one at a time. After the first time-out the rest are not run and count as
    time-outs too, so that a slow program costs its time limit once, and results do not depend on the number of workers.
    With None, a job has its own group.
    """

    code: str
    expressions: tuple[str, ...] = ()
    group: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    `ok`: `values` holds one value per expression, plain data of exact builtin types (None, bool, int, float,
    complex, str, bytes, list, tuple, dict, set, frozenset). Whether they are the right ones, the caller says.
    `compile-error`: the code, or an expression, is not valid Python. `runtime-error`: it raised, exited, printed too
    much, ended its sandbox, or an expression's value is not plain data. `timeout`: it ran too long. `unsupported`: this
    tier does not implement something the code uses. `sandbox-error`: the sandbox does not work on this machine. The
    last two say nothing about the candidate. `detail` is for people.
    """

    kind: OutcomeKind
    values: tuple[Any, ...] = ()
    detail: str = ""


class Limits(Config):
    """The limits of one job."""

    seconds: float = Field(default=5.0, gt=0, le=600, description="Wall-clock seconds.")
    memory_mebibytes: int = Field(default=512, ge=64, description="Address space of each process, MiB.")
    output_bytes: int = Field(default=65536, ge=1024, le=1 << 28, description="Bytes printed, and bytes of values.")
    processes: int = Field(default=16, ge=1, description="Processes and threads at one time.")
    files: int = Field(default=16, ge=1, description="MiB written to files.")


class SandboxConfig(Config):
    """The sandbox's tier, and its limits for a job."""

    tier: Tier = Field(default="auto", description="auto: bubblewrap, which runs CPython itself; it never falls back.")
    limits: Limits = Limits()
    workers: Annotated[int, Unkeyed("a job's result does not depend on others")] = Field(
        default=2, ge=1, le=64, description="Concurrent jobs."
    )
    allow_unsafe: bool = Field(default=False, description="Allows the tier subprocess, which contains nothing.")
