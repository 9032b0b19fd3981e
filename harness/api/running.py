"""Runs protocols."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.api.planned import planned
from harness.api.protocols import ProtocolName, installed_plugins, read_protocol, runs_folder
from harness.api.runs import Run
from harness.errors import HarnessError, StepFailed, UsageError
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from pydantic import BaseModel as PydanticModel

    from harness.execution.progress import Reporter
    from harness.execution.runner import RunOutcome
    from harness.plugin.registered import RegisteredPlugin
    from harness.plugin.registry import Registry
    from harness.protocol import Protocol

JOBS = "HARNESS_JOBS"
"""The environment variable for the default of `jobs`."""


def run(
    protocol: ProtocolName,
    *,
    seeds: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
    output: str | Path | None = None,
    engine: str | None = None,
    jobs: int | Literal["auto"] | None = None,
    threads: int | None = None,
    observers: Sequence[str] = (),
    deltas: Deltas | str = Deltas.AUTO,
    verify: bool = True,
    progress: bool = True,
    check: bool = True,
    registry: Registry | None = None,
    command: Sequence[str] = (),
    global_arguments: Sequence[str] = (),
) -> Run:
    """Runs a protocol: trains, recovers, merges, scores and probes everything that is not in the store yet.

    protocol: a path, or the name of a packaged protocol. seeds: replaces the protocol's seeds. methods: selects some
    of its methods. output: the folder of runs and store; default: `HARNESS_RUNS` or `runs`. engine: the name of the
    engine that executes the steps; default: the protocol's, or `local`. jobs: how many steps the engine `local`
    executes at a time, each in a worker process; 1: in this process; `auto`: one per GPU, on the CPU as many as pay;
    default: `HARNESS_JOBS`, or `auto` if all plugins are installed ones. threads: of each step on the CPU; default:
    by the size of the model. observers: names of observers for the curves of the run, beside those of the protocol
    and of `HARNESS_OBSERVERS`. deltas: when to store a model as the difference from its parent. verify: check the
    sha256 of stored models before they are used. progress: print progress to standard error. check: raise StepFailed
    at the end if a step failed; otherwise see `Run.failures`. registry: the plugins to use; default: all installed
    ones. command, global_arguments: recorded as provenance; engines that start `harness` elsewhere pass on the
    latter.

    Raises ProtocolError and UsageError for errors found before the first step. The same call resumes an interrupted
    run.
    """
    from harness._util.console_log import lasting_stderr
    from harness._util.environment import prepare_libraries
    from harness.execution.observing.child import observing
    from harness.execution.observing.chosen import chosen_observers
    from harness.execution.provenance import portable_command
    from harness.execution.run_folder import RunFolder
    from harness.execution.runner import Runner
    from harness.execution.store import Store
    from harness.planning.titles import waited_for

    if deltas not in list(Deltas):
        hint = f"one of {', '.join(Deltas)}"
        raise UsageError(f"{deltas!r} is not a way to store models", where="deltas", hint=hint)
    prepare_libraries()
    plugins = installed_plugins(registry)
    read = read_protocol(protocol, plugins, seeds=seeds, methods=methods)
    offer, config = engine_of(read, plugins, engine, jobs=jobs, threads=threads)
    read.check_here()
    observed = chosen_observers(read.observers, observers, plugins, os.environ)
    root = runs_folder(output)
    planned_run = planned(read, plugins, root)
    debug = "--debug" in global_arguments
    lasting = None if debug else lasting_stderr()
    reporter = _reporter(lasting, shown=progress)
    reporter.note(f"run: {planned_run.folder}")

    def waiting(key: str) -> None:
        reporter.note(waited_for(planned_run.plan, key))

    runner = Runner(
        protocol=read,
        plan=planned_run.plan,
        registry=plugins,
        store=Store(root / "store", waiting=waiting, verify=verify),
        engine=offer.build(config),
        run_root=root,
        reporter=reporter,
        command=portable_command(command or ["harness.run", str(protocol)], Path.cwd()),
        global_arguments=global_arguments,
        arguments=_arguments(seeds, methods, Deltas(deltas), verify=verify),
        deltas=Deltas(deltas),
    )
    curves = observing(observed, planned_run.folder, root / "store", reporter.note, global_arguments=global_arguments)
    with lasting or nullcontext(), curves:
        outcome = runner.run(RunFolder(planned_run.folder).console_log if lasting is not None else None)
    if check and outcome.failures:
        raise failure_of(outcome)
    return Run(outcome.folder, registry=plugins, outcome=outcome)


def engine_of(
    protocol: Protocol,
    plugins: Registry,
    name: str | None,
    *,
    jobs: int | Literal["auto"] | None = None,
    threads: int | None = None,
) -> tuple[RegisteredPlugin, PydanticModel]:
    """Returns the engine of a run and its config: the protocol's unless `name` is another one.

    Raises UsageError if it has no setting `jobs` or `threads` that is given, or if worker processes are requested that
    would not have the plugins of this process.
    """
    stated = protocol.engine
    offer = plugins.find("engine", name or (stated.name if stated is not None else "local"))
    settings = dict(stated.config) if stated is not None and stated.name == offer.name else {}
    known = offer.config_type().model_fields
    for setting, value in {"jobs": jobs, "threads": threads}.items():
        if value is not None and setting not in known:
            raise UsageError(f"the engine {offer.name} has no such setting", where=setting, hint=f"leave out {setting}")
        if value is not None:
            settings[setting] = value
    if "jobs" in known and not plugins.installed:
        if settings.setdefault("jobs", 1) != 1:
            hint = "install the plugins, or use jobs=1"
            raise UsageError("worker processes only have installed plugins", where="jobs", hint=hint)
    elif "jobs" in known:
        settings.setdefault("jobs", jobs_from(os.environ.get(JOBS, "auto"), where=JOBS))
    return offer, offer.config_type()(**settings)


def jobs_from(text: str, *, where: str) -> int | Literal["auto"]:
    """Parses a number of jobs. where: the option or variable. Raises UsageError for anything but a positive integer or
    `auto`."""
    if text == "auto":
        return "auto"
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UsageError(f"{text!r} is not a number of steps", where=where, hint="a positive integer, or auto")
    return int(text)


def _reporter(lasting: object, *, shown: bool) -> Reporter:
    from harness._util.console import safe_console
    from harness.execution.progress import reporter_for

    if not shown:
        return reporter_for(safe_console(quiet=True))
    return reporter_for(safe_console(file=lasting or sys.stderr))


def _arguments(
    seeds: Sequence[int] | None, methods: Sequence[str] | None, deltas: Deltas, *, verify: bool
) -> list[str]:
    """Returns arguments of `harness exec-node` that produce the same plan in another process."""
    chosen = [] if seeds is None else ["--seeds", ",".join(map(str, seeds))]
    chosen += [] if methods is None else ["--methods", ",".join(methods)]
    return [*chosen, "--delta-checkpoints", deltas, *([] if verify else ["--no-verify"])]


def failure_of(outcome: RunOutcome) -> HarnessError:
    """Returns the error of a run with failed steps: the reason of each, and the number of dependent results."""
    count = len(outcome.failures)
    lines = [f"{count} step{'s' if count > 1 else ''} failed"]
    for failure in outcome.failures:
        place = "" if failure.error.where == failure.node.label else f"{failure.node.label}: "
        lines += [f"  {line}" for line in f"{place}{failure.error}".splitlines()]
    if outcome.left:
        lines.append(f"  {len(outcome.left)} dependent results were skipped")
    return StepFailed("\n".join(lines), hint="run the same command again: finished steps are stored")
