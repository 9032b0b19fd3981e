"""Which sandbox there is: the choice by `SandboxConfig.tier`, and what to install where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.errors import UsageError
from harness.sandbox.bubblewrap import worker_factory
from harness.sandbox.jobs import Job, Limits, Outcome, SandboxConfig
from harness.sandbox.monty import MontySandbox
from harness.sandbox.pool import WorkerPool
from harness.sandbox.worker import Worker, WorkerFailedError, interpreter_arguments, python_program

INSTALL_BUBBLEWRAP = "install bubblewrap (apt install bubblewrap)"
INSTALL_MONTY = "pip install pydantic-monty"


class Runner(Protocol):
    """One way to run jobs."""

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns the outcomes in the order of `jobs`."""
        ...

    def close(self) -> None:
        """Ends its processes."""
        ...


class Sandbox:
    """Runs jobs on the first of `runners`, and on the next what the one before could not finish well."""

    def __init__(self, tier: str, runners: Sequence[Runner]) -> None:
        self.tier = tier
        self.runners = tuple(runners)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns one outcome a job, in the order of `jobs`; raises nothing for what a candidate does."""
        outcomes = self.runners[0].run(jobs)
        for runner in self.runners[1:]:
            # Not only what is unsupported: an exception handler may have turned "unsupported" into another error.
            again = [index for index, outcome in enumerate(outcomes) if outcome.kind != "ok"]
            for index, outcome in zip(again, runner.run([jobs[index] for index in again]), strict=True):
                outcomes[index] = outcome
        return outcomes

    def close(self) -> None:
        """Ends all processes of the sandbox."""
        for runner in self.runners:
            runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bubblewrap(config: SandboxConfig) -> WorkerPool:
    """Returns the pool of contained zygotes. Raises WorkerFailedError where bubblewrap cannot work."""
    start, first = worker_factory(config.limits)
    return WorkerPool(start, config.workers, first)


def has_monty() -> bool:
    """Returns whether Monty is installed."""
    return find_spec("pydantic_monty") is not None


def monty(config: SandboxConfig) -> MontySandbox:
    """Returns the pool of Monty's processes. Raises UsageError where it is missing or its program does not start."""
    if not has_monty():
        raise UsageError("the tier monty needs the package pydantic-monty", hint=INSTALL_MONTY)
    try:
        return MontySandbox(config.limits, config.workers)
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"pydantic-monty is installed and does not start: {error}",
            hint=f"{INSTALL_MONTY} --force-reinstall, or tier: bubblewrap",
        ) from error


def uncontained(limits: Limits, workers: int) -> WorkerPool:
    """Returns a pool of zygotes without a sandbox around them: limits on time, memory and output, nothing else."""

    def start(number: int) -> Worker:
        arguments = interpreter_arguments(Path(__file__).parent, limits, contained=False, user=None)
        return Worker([str(python_program()), *arguments], limits)

    return WorkerPool(start, workers)


def open_sandbox(config: SandboxConfig) -> Sandbox:
    """Returns a sandbox of the wanted tier; `Sandbox.tier` says which it became (`monty+bubblewrap`, for instance).

    Raises UsageError, saying what to install, where the tier is not available, and where `subprocess` is wanted without
    `allow_unsafe`.
    """
    if config.tier == "subprocess":
        if not config.allow_unsafe:
            raise UsageError(
                "the tier subprocess contains nothing: code of the model would run with your rights",
                hint=f"{INSTALL_BUBBLEWRAP}, or say allow_unsafe: true",
            )
        return Sandbox("subprocess", [uncontained(config.limits, config.workers)])
    if config.tier == "monty":
        return Sandbox("monty", [monty(config)])
    try:
        contained = bubblewrap(config)
    except WorkerFailedError as error:
        if config.tier == "auto" and has_monty():
            return Sandbox("monty", [monty(config)])
        hint = f"{INSTALL_BUBBLEWRAP}, or {INSTALL_MONTY}"
        raise UsageError(f"no sandbox for untrusted code: {error}", hint=hint) from error
    if config.tier == "bubblewrap" or not has_monty():
        return Sandbox("bubblewrap", [contained])
    try:
        return Sandbox("monty+bubblewrap", [monty(config), contained])
    except UsageError:
        contained.close()
        raise
