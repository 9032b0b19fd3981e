"""Opens the sandbox of `SandboxConfig.tier`, or reports what to install."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.domains.sandbox.bubblewrap import worker_factory
from harness.domains.sandbox.jobs import Job, Limits, Outcome, SandboxConfig
from harness.domains.sandbox.monty import MontySandbox
from harness.domains.sandbox.pool import WorkerPool
from harness.domains.sandbox.worker import Worker, WorkerFailedError, interpreter_arguments, python_program
from harness.errors import UsageError

INSTALL_BUBBLEWRAP = "install bubblewrap (apt install bubblewrap)"
INSTALL_MONTY = "pip install pydantic-monty"
OTHER_TIER = f"`tier: monty` ({INSTALL_MONTY}), a subset of Python whose verdicts can differ from CPython's"


class Runner(Protocol):
    """One way to run jobs."""

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns the outcomes in the order of `jobs`."""
        ...

    def close(self) -> None:
        """Stops its processes."""
        ...


class Sandbox:
    """Runs jobs in one tier."""

    def __init__(self, tier: str, runner: Runner) -> None:
        self.tier = tier
        self.runner = runner

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns one outcome per job, in the order of `jobs`. Never raises for anything that a candidate does."""
        return self.runner.run(jobs)

    def close(self) -> None:
        """Stops all processes of the sandbox."""
        self.runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bubblewrap(config: SandboxConfig) -> WorkerPool:
    """Returns a pool of contained zygotes. Raises WorkerFailedError if bubblewrap cannot work."""
    start, first = worker_factory(config.limits)
    return WorkerPool(start, config.workers, first)


def monty(config: SandboxConfig) -> MontySandbox:
    """Returns a pool of Monty's processes. Raises UsageError if it is missing or its program does not start."""
    if find_spec("pydantic_monty") is None:
        raise UsageError("the tier monty needs the package pydantic-monty", hint=INSTALL_MONTY)
    try:
        return MontySandbox(config.limits, config.workers)
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"pydantic-monty is installed and does not start: {error}",
            hint=f"{INSTALL_MONTY} --force-reinstall, or tier: bubblewrap",
        ) from error


def uncontained(limits: Limits, workers: int) -> WorkerPool:
    """Returns a pool of zygotes without a sandbox: with limits on time, memory and output, and nothing else."""

    def start(number: int) -> Worker:
        arguments = interpreter_arguments(Path(__file__).parent, limits, contained=False, user=None)
        return Worker([str(python_program()), *arguments], limits)

    return WorkerPool(start, workers)


def open_sandbox(config: SandboxConfig) -> Sandbox:
    """Returns a sandbox of the config's tier. `auto` is bubblewrap, so that verdicts do not depend on the installation.

    Raises UsageError if the tier is not available, with what to install, or if `subprocess` is used without
    `allow_unsafe`.
    """
    if config.tier == "subprocess":
        if not config.allow_unsafe:
            raise UsageError(
                "the tier subprocess is not a sandbox: the model's code would run with your rights",
                hint=f"{INSTALL_BUBBLEWRAP}, or set allow_unsafe: true",
            )
        return Sandbox("subprocess", uncontained(config.limits, config.workers))
    if config.tier == "monty":
        return Sandbox("monty", monty(config))
    try:
        return Sandbox("bubblewrap", bubblewrap(config))
    except WorkerFailedError as error:
        hint = f"{INSTALL_BUBBLEWRAP}, or choose {OTHER_TIER}"
        raise UsageError(f"no sandbox for untrusted code: {error}", hint=hint) from error
