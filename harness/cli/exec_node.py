"""`harness exec-node`: executes one node of a plan; used by engines to run steps in other processes."""

from __future__ import annotations

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
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.planning.node import Node
    from harness.planning.plan import Plan


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("exec-node")(exec_node)


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
    import os
    import sys

    from harness._util.distributed import rank
    from harness.execution import Executor
    from harness.execution.executor import silent
    from harness.execution.launching import rank_folder
    from harness.execution.progress import PlainReporter
    from harness.execution.store import Store
    from harness.planning.checks import check_needs, check_writable
    from harness.planning.planner import make_plan
    from harness.planning.titles import titled
    from harness.protocol import find_protocol, load_protocol

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    read = load_protocol(path, registry, seeds=seeds_from(seeds), methods=methods_from(methods))
    read.check_here()
    plan = make_plan(read, registry)
    node = find_node(plan, key)
    root = runs_folder(runs)
    check_writable(root)
    check_needs([node], plan, os.environ)
    reporter = PlainReporter(safe_console(stderr=True))
    reporter.name(titled(plan)[node.key].label)

    def waiting(key: str) -> None:
        reporter.note(f"waiting: another process computes {key}")

    store = Store(root / "store", waiting=waiting, verify=verify)
    command = [sys.executable, "-m", "harness", *sys.argv[1:]]
    executor = Executor(plan, registry, store, command=lambda _: command, deltas=deltas)
    folder = rank_folder()
    with interrupts_as_errors():
        if folder is None:
            executor.execute(node.key, reporter.progress)
        else:
            executor.execute_rank(node.key, folder, silent if rank() else reporter.progress)


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
