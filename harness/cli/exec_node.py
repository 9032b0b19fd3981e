"""`harness exec-node` and `exec-worker`: execute nodes of a plan; engines run them in other processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness._util.console import safe_console
from harness._util.signals import interrupts_as_errors
from harness.api.protocols import runs_folder
from harness.cli.selection import (
    DeltasOption,
    MethodsOption,
    ProtocolArgument,
    RunsOption,
    SeedsOption,
    VerifyOption,
    methods_from,
    seeds_from,
)
from harness.cli.session import session_of
from harness.errors import UsageError
from harness.planning.checks import check_needs, check_writable
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.execution import Executor
    from harness.execution.progress import PlainReporter
    from harness.planning.node import Node
    from harness.planning.plan import Plan


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command("exec-node")(exec_node)
    app.command("exec-worker", hidden=True)(exec_worker)


def exec_node(
    context: typer.Context,
    protocol: ProtocolArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The node's key or a prefix of it; see `plan`.")],
    *,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    methods: MethodsOption = None,
    deltas: DeltasOption = Deltas.AUTO,
    verify: VerifyOption = True,
) -> None:
    """Execute one node of a protocol's plan; its inputs must be in the store. For engines."""
    from harness._util.distributed import rank
    from harness.execution.executor import silent
    from harness.execution.launching import rank_folder
    from harness.planning.titles import titled

    reporter = _reporter()
    executor = _executor(
        context, protocol, runs=runs, seeds=seeds, methods=methods, deltas=deltas, verify=verify, note=reporter.note
    )
    node = find_node(executor.plan, key)
    check_needs([node], executor.plan, os.environ)
    reporter.name(node.key, titled(executor.plan)[node.key].label)
    progress = partial(reporter.progress, node)
    folder = rank_folder()
    with interrupts_as_errors():
        if folder is None:
            executor.execute(node.key, progress)
        else:
            executor.execute_rank(node.key, folder, silent if rank() else progress)


def exec_worker(
    context: typer.Context,
    protocol: ProtocolArgument,
    *,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    methods: MethodsOption = None,
    deltas: DeltasOption = Deltas.AUTO,
    verify: VerifyOption = True,
) -> None:
    """Execute the nodes whose keys are read from standard input. For engines; see harness.execution.worker."""
    from harness._util.parent_process import end_with
    from harness.execution.worker import Sender, serve

    end_with(os.getppid())
    sender = Sender()
    with interrupts_as_errors():
        executor = _executor(
            context, protocol, runs=runs, seeds=seeds, methods=methods, deltas=deltas, verify=verify, note=sender.note
        )
        serve(
            lambda key, progress: executor.execute(find_node(executor.plan, key).key, progress),
            sender,
            sys.stdin,
            debug=session_of(context).debug,
        )


def _executor(
    context: typer.Context,
    protocol: str,
    *,
    runs: Path | None,
    seeds: str | None,
    methods: str | None,
    deltas: Deltas,
    verify: bool,
    note: Callable[[str], None],
) -> Executor:
    """Returns the executor of the protocol's plan in this process."""
    from harness.execution import Executor
    from harness.execution.store import Store
    from harness.planning.planner import make_plan
    from harness.protocol import find_protocol, load_protocol

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    read = load_protocol(path, registry, seeds=seeds_from(seeds), methods=methods_from(methods))
    read.check_here()
    root = runs_folder(runs)
    check_writable(root)
    store = Store(root / "store", waiting=lambda key: note(f"waiting: another process computes {key}"), verify=verify)
    return Executor(make_plan(read, registry), registry, store, command=_command_of, deltas=deltas)


def _command_of(key: str) -> list[str]:
    """Returns the `exec-node` command for a node of this process's plan."""
    before, after = list(sys.argv[1:]), []
    if "exec-worker" in before:
        place = before.index("exec-worker")
        before, after = [*before[:place], "exec-node", before[place + 1], key], before[place + 2 :]
    return [sys.executable, "-m", "harness", *before, *after]


def _reporter() -> PlainReporter:
    from harness.execution.progress import PlainReporter

    return PlainReporter(safe_console(stderr=True))


def find_node(plan: Plan, key: str) -> Node:
    """Returns the node whose key starts with `key`. Raises UsageError if there is none, or more than one."""
    found = [node for known, node in plan.nodes.items() if known.startswith(key)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"the plan has no node {key}",
            hint="`harness plan --json` lists the keys; they depend on --seeds, --methods and the version",
        )
    raise UsageError(f"{len(found)} nodes have keys that start with {key!r}", hint="give a longer prefix")
