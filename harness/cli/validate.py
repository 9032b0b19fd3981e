"""`harness validate`: checks a protocol and reports all problems."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from harness.cli.selection import ProtocolArgument
from harness.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("validate")(validate)


def validate(
    context: typer.Context,
    protocol: ProtocolArgument,
    deep: bool = typer.Option(False, "--deep", help="Also check the model, data, tasks and rewards, as a run does."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check a protocol's keys, types, plugins, configs, files and packages; report all problems with their lines.

    Data and models are loaded only with --deep. `harness doctor` checks the machine.
    """
    from harness.api import check_protocol, unpinned_sources
    from harness.cli.plan_summary import unpinned_lines
    from harness.errors import ProtocolError

    registry = session_of(context).registry
    try:
        read = check_protocol(protocol, registry, deep=deep)
    except ProtocolError as error:
        if not as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        typer.echo(json.dumps({"ok": False, "file": error.source, "problems": problems}, indent=2))
        raise typer.Exit(int(error.exit_code)) from None
    counts = {"domains": len(read.domains), "methods": len(read.methods), "seeds": len(read.seeds)}
    unpinned = unpinned_sources(read, registry)
    if as_json:
        report = {"ok": True, "file": str(read.path), "name": read.name, **counts, "problems": []}
        typer.echo(json.dumps(report | {"unpinned": [asdict(source) for source in unpinned]}, indent=2))
        return
    numbers = ", ".join(f"{count} {word if count > 1 else word[:-1]}" for word, count in counts.items())
    for line in unpinned_lines(unpinned):
        typer.echo(line, err=True)
    typer.echo(f"ok: {read.path}: {read.name}: {numbers}")
