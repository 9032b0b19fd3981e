"""`harness validate`: reads a protocol and tells all that is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from harness.cli.selection import ProtocolArgument
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.protocol import Protocol


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("validate")(validate)


def validate(
    context: typer.Context,
    protocol: ProtocolArgument,
    deep: bool = typer.Option(False, "--deep", help="Look at the model, data, tasks and rewards too, as a run does."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check a protocol's keys, types, plugins, their configs, files and packages; show every fault with its line.

    Neither data nor models are read without --deep; `harness doctor` tries the machine.
    """
    from harness.errors import ProtocolError
    from harness.planning.unpinned import unpinned_lines, unpinned_of
    from harness.protocol import find_protocol, load_protocol

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    try:
        read = load_protocol(path, registry)
        read.check_here()
        if deep:
            _check_deeply(read, registry)
    except ProtocolError as error:
        if not as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        typer.echo(json.dumps({"ok": False, "file": str(path), "problems": problems}, indent=2))
        raise typer.Exit(int(error.exit_code)) from None
    counts = {"domains": len(read.domains), "methods": len(read.methods), "seeds": len(read.seeds)}
    domains = [use for domain in read.domains.values() for use in (domain.plugin, domain.reward)]
    unpinned = unpinned_of([read.model, *domains], registry)
    if as_json:
        told = {"ok": True, "file": str(path), "name": read.name, **counts, "problems": []}
        typer.echo(json.dumps(told | {"unpinned": [asdict(source) for source in unpinned]}, indent=2))
        return
    numbers = ", ".join(f"{count} {word if count > 1 else word[:-1]}" for word, count in counts.items())
    for line in unpinned_lines(unpinned):
        typer.echo(line, err=True)
    typer.echo(f"ok: {path}: {read.name}: {numbers}")


def _check_deeply(protocol: Protocol, registry: Registry) -> None:
    """Raises ProtocolError with what a run would find before its first step; fetches what is not there."""
    from harness.execution.parts import Parts
    from harness.execution.readiness import faults_before_start, gathered_faults
    from harness.planning.planner import make_plan

    plan, parts = make_plan(protocol, registry), Parts(registry)
    folder = None
    with gathered_faults(str(protocol.path)) as faults:
        with faults.noted():
            folder = parts.usable_base_folder(plan.base)
        faults.problems += faults_before_start(protocol, plan, list(plan.nodes.values()), parts, folder)
