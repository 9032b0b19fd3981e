"""`harness exec-node` and `exec-worker`: execute nodes of a plan; engines run them in other processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import Deltas
from harness._util.signals import interrupts_as_errors
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

if TYPE_CHECKING:
    from harness.api.executing import NodeProcess


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
    with interrupts_as_errors(resumable=True):
        _process(context, protocol, runs, seeds, methods, deltas=deltas, verify=verify).execute(key)


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
    """Execute the nodes whose keys are read from standard input. For engines."""
    with interrupts_as_errors(resumable=True):
        process = _process(context, protocol, runs, seeds, methods, deltas=deltas, verify=verify)
        process.serve(debug=session_of(context).debug)


def _process(
    context: typer.Context,
    protocol: str,
    runs: Path | None,
    seeds: str | None,
    methods: str | None,
    *,
    deltas: Deltas,
    verify: bool,
) -> NodeProcess:
    from harness.api.executing import NodeProcess

    return NodeProcess(
        protocol,
        seeds=seeds_from(seeds),
        methods=methods_from(methods),
        output=runs,
        deltas=deltas,
        verify=verify,
        registry=session_of(context).registry,
        command=sys.argv[1:],
    )
